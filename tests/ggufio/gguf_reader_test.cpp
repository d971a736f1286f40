#include "ggufio/gguf_reader.h"

#include "ggufio/model_source.h"
#include "gguf_image.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::filesystem::path kSample = std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf";

std::string errorOf(const GgufImage& image) {
	const auto file = GgufFile::parse(image.bytes, "x.gguf");
	return file.ok() ? "(no error)" : file.error().message;
}

}  // namespace

TEST(GgufReader, ReadsEveryMetadataTypeOfBothVersions) {
	for (uint32_t version : {2u, 3u}) {
		const GgufImage image = smallImage(version);
		const auto file = GgufFile::parse(image.bytes, "x.gguf");
		ASSERT_TRUE(file.ok()) << file.error().message;
		EXPECT_EQ(file->version(), version);
		const Metadata& metadata = file->metadata();
		EXPECT_EQ(metadata.entries().size(), 15u);
		EXPECT_EQ(metadata.string("general.architecture"), "llama");
		EXPECT_EQ(metadata.unsignedInt("a.u8"), 200u);
		EXPECT_EQ(metadata.signedInt("a.i8"), -7);
		EXPECT_EQ(metadata.unsignedInt("a.i8"), std::nullopt);
		EXPECT_EQ(metadata.unsignedInt("a.u16"), 60000u);
		EXPECT_EQ(metadata.signedInt("a.i16"), -300);
		EXPECT_EQ(metadata.unsignedInt("a.u32"), 4000000000u);
		EXPECT_EQ(metadata.number("a.i32"), -5.0);
		EXPECT_EQ(metadata.number("a.f32"), 1.5);
		EXPECT_EQ(metadata.boolean("a.bool"), true);
		EXPECT_EQ(metadata.unsignedInt("a.u64"), uint64_t(1) << 60);
		EXPECT_EQ(metadata.signedInt("a.i64"), -9);
		EXPECT_EQ(metadata.number("a.f64"), 0.25);
		EXPECT_EQ(*metadata.strings("a.strings"), (std::vector<std::string>{"one", "", "a text longer than any small buffer would hold"}));
		EXPECT_EQ(std::get<std::vector<float>>(*metadata.array("a.floats")), (std::vector<float>{1, 2}));
		EXPECT_EQ(std::get<MetaBools>(*metadata.array("a.bools")).values, (std::vector<uint8_t>{0, 1, 1}));
		EXPECT_EQ(metadata.find("missing"), nullptr);
		EXPECT_EQ(metadata.string("a.u8"), std::nullopt);
	}
}

TEST(GgufReader, PlacesTensorsAfterTheHeader) {
	const GgufImage image = smallImage();
	const auto file = GgufFile::parse(image.bytes, "x.gguf");
	ASSERT_TRUE(file.ok());
	ASSERT_EQ(file->tensors().size(), 3u);
	const TensorInfo& embedding = file->tensors()[0];
	EXPECT_EQ(embedding.bytes, 288u);
	EXPECT_EQ(embedding.rows(), 2u);
	EXPECT_EQ(embedding.rowBytes(), 144u);
	EXPECT_EQ(file->dataStart(0) + 352, image.bytes.size());
	const TensorInfo* norm = file->findTensor("blk.0.attn_norm.weight");
	ASSERT_NE(norm, nullptr);
	EXPECT_EQ(uint8_t(file->data(*norm)[0]), 288 % 256);
	EXPECT_EQ(file->findTensor("nothing"), nullptr);
}

TEST(GgufReader, ReadsTheSampleModel) {
	const auto file = GgufFile::open(kSample);
	ASSERT_TRUE(file.ok()) << file.error().message;
	EXPECT_EQ(file->metadata().string("general.architecture"), "llama");
	EXPECT_EQ(file->metadata().strings("tokenizer.ggml.tokens")->size(), 2048u);
	const TensorInfo* embedding = file->findTensor("token_embd.weight");
	ASSERT_NE(embedding, nullptr);
	EXPECT_EQ(embedding->ne[0], 256u);
	EXPECT_EQ(embedding->ne[1], 2048u);
	std::vector<std::byte> row(embedding->rowBytes());
	ASSERT_TRUE(file->read(*embedding, 7 * row.size(), row.size(), row.data()).ok());
	EXPECT_TRUE(std::equal(row.begin(), row.end(), file->data(*embedding).begin() + 7 * row.size()));
}

TEST(GgufReader, AcceptsAMissingPaddingAfterTheLastTensor) {
	GgufImage image = smallImage();
	image.bytes.resize(image.bytes.size() - 12);
	EXPECT_EQ(errorOf(image), "(no error)");
	image.bytes.resize(image.bytes.size() - 1);
	EXPECT_EQ(errorOf(image), "x.gguf: cut short: tensor 'output_norm.weight' needs bytes 960 to 980, but the file ends at 979; 2 of 3 tensors are whole");
}

TEST(GgufReader, HonoursAnOtherAlignment) {
	GgufImage image;
	image.header(2, 1).key("general.alignment", MetaType::U32).put<uint32_t>(64);
	image.tensor("a", {1}, TensorType::F32, 0).tensor("b", {1}, TensorType::F32, 64).pad(64).zeros(68);
	const auto file = GgufFile::parse(image.bytes, "x.gguf");
	ASSERT_TRUE(file.ok()) << file.error().message;
	EXPECT_EQ(file->alignment(), 64u);
	EXPECT_EQ(file->dataStart(0), 128u);
}

TEST(GgufReader, NamesMissingFilesAndFolders) {
	EXPECT_EQ(GgufFile::open("/nonexistent/model.gguf").error().code, ErrorCode::kNotFound);
	EXPECT_EQ(GgufFile::open("/nonexistent/model.gguf").error().message, "/nonexistent/model.gguf: no such file");
	EXPECT_EQ(GgufFile::open("/tmp").error().message, "/tmp: is a folder, not a file");
	EXPECT_EQ(GgufFile::open("/dev/null").error().message, "/dev/null: is not a regular file");
}

TEST(GgufSource, GivesTensorsInProcessingOrder) {
	const auto source = openGgufSource(kSample);
	ASSERT_TRUE(source.ok()) << source.error().message;
	const auto tensors = (*source)->tensors();
	EXPECT_TRUE(std::is_sorted(tensors.begin(), tensors.end(), tensorComesBefore));
	EXPECT_EQ(tensors.front().name, "output.weight");
	EXPECT_EQ((*source)->storedBytes(), std::filesystem::file_size(kSample));
	for (size_t i = 0; i < tensors.size(); ++i) {
		std::vector<std::byte> rows(tensors[i].bytes);
		ASSERT_TRUE((*source)->readRows(i, 0, tensors[i].rows(), rows.data()).ok());
		ASSERT_TRUE(std::equal(rows.begin(), rows.end(), (*source)->mapped(i).begin()));
	}
}

TEST(GgufSource, OrdersLayersByNumberNotByName) {
	TensorInfo two, ten, none;
	two.name = "blk.2.attn_q.weight";
	ten.name = "blk.10.attn_q.weight";
	none.name = "token_embd.weight";
	EXPECT_TRUE(tensorComesBefore(two, ten));
	EXPECT_FALSE(tensorComesBefore(ten, two));
	EXPECT_TRUE(tensorComesBefore(none, two));
}

TEST(ModelSource, IsOpenedByWhatTheFileIs) {
	const TempFolder folder;
	EXPECT_TRUE(openModelSource(kSample).ok());
	EXPECT_TRUE(openModelSource(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m").ok());
	EXPECT_EQ(openModelSource(folder / "missing").error().code, ErrorCode::kNotFound);
	// Contents decide, not names.
	std::filesystem::copy_file(kSample, folder / "model.safetensors");
	EXPECT_TRUE(openModelSource(folder / "model.safetensors").ok());
	writeFile(folder / "model.gguf", std::as_bytes(std::span<const char>("version https://git-lfs.github.com/spec/v1", 42)));
	const auto pointer = openModelSource(folder / "model.gguf");
	EXPECT_EQ(pointer.error().message, (folder / "model.gguf").string() + ": neither GGUF nor safetensors; it looks like a Git LFS pointer, not the file itself");
	EXPECT_EQ(pointer.error().hint, "run `git lfs pull` in the repository, or download the file itself");
}
