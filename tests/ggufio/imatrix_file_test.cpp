#include "ggufio/imatrix_file.h"

#include "gguf_image.h"
#include "ggufio/gguf_reader.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::filesystem::path kGolden = std::filesystem::path(VKQ_SOURCE_DIR) / "tests/golden/orator-6m.imatrix.gguf";

ImatrixSums twoWeights() {
	ImatrixSums sums;
	sums.datasets = {"calibration.txt"};
	sums.chunk_count = 3;
	sums.chunk_size = 512;
	sums.entries["blk.0.attn_q.weight"] = {{2, 4, 6, 8}, {2}};
	sums.entries["blk.0.ffn_up_exps.weight"] = {{1, 2, 3, 4}, {4, 0}};   // two experts, the second without a token
	return sums;
}

GgufImage imatrixHeader(uint64_t tensors) {
	GgufImage image;
	image.header(tensors, 3);
	image.array("imatrix.datasets", MetaType::String, 1).text("d");
	image.key("imatrix.chunk_count", MetaType::U32).put<uint32_t>(1);
	image.key("imatrix.chunk_size", MetaType::U32).put<uint32_t>(512);
	return image;
}

std::string errorOf(const GgufImage& image) {
	const auto sums = parseImatrixSums(image.bytes, "x.gguf");
	return sums.ok() ? "(no error)" : sums.error().message;
}

}  // namespace

TEST(ImatrixFile, ReadsWhatTheReferenceMade) {
	const auto imatrix = openImatrix(kGolden);
	ASSERT_TRUE(imatrix.ok()) << imatrix.error().message;
	EXPECT_EQ(imatrix->file, kGolden.string());
	EXPECT_EQ(imatrix->chunks, 100u);
	EXPECT_EQ(imatrix->datasets.size(), 1u);
	EXPECT_EQ(imatrix->importance.size(), 42u);   // 6 layers x (q, k, v, output, gate, up, down)
	EXPECT_EQ(imatrix->importance.at("blk.3.ffn_down.weight").size(), 768u);

	const auto file = GgufFile::open(kGolden);
	float sum, count;
	std::memcpy(&sum, file->data(*file->findTensor("blk.3.ffn_down.weight.in_sum2")).data() + 4 * 5, 4);
	std::memcpy(&count, file->data(*file->findTensor("blk.3.ffn_down.weight.counts")).data(), 4);
	EXPECT_EQ(imatrix->importance.at("blk.3.ffn_down.weight")[5], sum / count);
}

TEST(ImatrixFile, ReadsBackWhatItWrites) {
	const TempFolder folder;
	ASSERT_TRUE(writeImatrix(folder / "i.gguf", twoWeights(), false).ok());
	const auto sums = parseImatrixSums(readFile(folder / "i.gguf"), "i.gguf");
	ASSERT_TRUE(sums.ok()) << sums.error().message;
	EXPECT_EQ(sums->datasets, twoWeights().datasets);
	EXPECT_EQ(sums->chunk_count, 3u);
	EXPECT_EQ(sums->chunk_size, 512u);
	EXPECT_EQ(sums->entries.at("blk.0.ffn_up_exps.weight").in_sum2, (std::vector<float>{1, 2, 3, 4}));
	EXPECT_EQ(sums->entries.at("blk.0.ffn_up_exps.weight").counts, (std::vector<float>{4, 0}));
	EXPECT_EQ(writeImatrix(folder / "i.gguf", twoWeights(), false).error().code, ErrorCode::kExists);
}

TEST(ImatrixFile, DividesByCountsAndGivesOnesWhereNothingWasSeen) {
	const Imatrix imatrix = importanceOf(twoWeights(), "i.gguf");
	EXPECT_EQ(imatrix.importance.at("blk.0.attn_q.weight"), (std::vector<float>{1, 2, 3, 4}));
	EXPECT_EQ(imatrix.importance.at("blk.0.ffn_up_exps.weight"), (std::vector<float>{0.25f, 0.5f, 1, 1}));
}

TEST(ImatrixFile, TellsTheOlderFormApart) {
	const TempFolder folder;
	GgufImage legacy;   // one entry: name, calls, values; then chunks and data set
	legacy.put<int32_t>(1).put<int32_t>(19).raw("blk.0.attn_q.weight").put<int32_t>(2).put<int32_t>(3);
	legacy.put<float>(2).put<float>(4).put<float>(6).put<int32_t>(2).put<int32_t>(1).raw("d");
	writeFile(folder / "i.dat", legacy.bytes);
	const auto imatrix = openImatrix(folder / "i.dat");
	ASSERT_TRUE(imatrix.ok()) << imatrix.error().message;
	EXPECT_EQ(imatrix->file, (folder / "i.dat").string());
	EXPECT_EQ(imatrix->importance.at("blk.0.attn_q.weight"), (std::vector<float>{1, 2, 3}));
}

TEST(ImatrixFile, SaysWhatAForeignFileLooksLike) {
	const TempFolder folder;
	writeFile(folder / "x", std::as_bytes(std::span<const char>("<html>", 6)));
	EXPECT_EQ(openImatrix(folder / "x").error().message, (folder / "x").string() + ": not an importance matrix; it looks like a web page");
	EXPECT_EQ(openImatrix(folder / "missing").error().code, ErrorCode::kNotFound);
	const auto model = openImatrix(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf");
	EXPECT_NE(model.error().message.find("is no complete importance matrix: imatrix.datasets is missing"), std::string::npos);
}

TEST(ImatrixFile, RefusesContradictions) {
	EXPECT_EQ(errorOf(imatrixHeader(0).pad()), "x.gguf: is no complete importance matrix: it has no entries");
	EXPECT_EQ(errorOf(imatrixHeader(1).tensor("w.in_sum2", {4}, TensorType::F32, 0).pad().zeros(32)),
	          "x.gguf: is no complete importance matrix: 'w' has sums but no counts");
	EXPECT_EQ(errorOf(imatrixHeader(1).tensor("w.counts", {1}, TensorType::F32, 0).pad().zeros(32)),
	          "x.gguf: is no complete importance matrix: 'w' has counts but no sums");
	EXPECT_EQ(errorOf(imatrixHeader(2).tensor("w.in_sum2", {4, 2}, TensorType::F32, 0).tensor("w.counts", {1}, TensorType::F32, 32).pad().zeros(64)),
	          "x.gguf: is no complete importance matrix: 'w' has 2 rows of sums and 1 counts");
	EXPECT_EQ(errorOf(imatrixHeader(2).tensor("w.in_sum2", {4}, TensorType::F16, 0).tensor("w.counts", {1}, TensorType::F32, 32).pad().zeros(64)),
	          "x.gguf: is no complete importance matrix: 'w' is not stored as F32");
	EXPECT_EQ(errorOf(imatrixHeader(2).tensor("w.in_sum2", {0}, TensorType::F32, 0).tensor("w.counts", {1}, TensorType::F32, 0).pad().zeros(64)),
	          "x.gguf: is no complete importance matrix: 'w' has 1 rows of sums and 1 counts");
}

TEST(ImatrixFile, IsTakenByTheReferenceTool) {
	const char* peer = std::getenv("VKQ_PEER");
	if (!peer) GTEST_SKIP() << "VKQ_PEER is not set";
	// The sums that the reference collected, written by us, must lead it to the same file as its own.
	const TempFolder folder;
	const auto golden = parseImatrixSums(readFile(kGolden), "golden");
	ASSERT_TRUE(golden.ok());
	ASSERT_TRUE(writeImatrix(folder / "ours.gguf", *golden, false).ok());
	std::filesystem::copy(kGolden, folder / "theirs.gguf");
	std::filesystem::copy(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf", folder / "in.gguf");
	for (const std::string which : {"ours", "theirs"}) {
		std::filesystem::copy_file(folder / (which + ".gguf"), folder / "imatrix.gguf", std::filesystem::copy_options::overwrite_existing);
		const std::string command = "cd " + folder.path().string() + " && " + peer + " llama-quantize --imatrix imatrix.gguf in.gguf " + which +
		                            "-out.gguf Q4_K_S 2 > /dev/null 2>&1";
		ASSERT_EQ(std::system(command.c_str()), 0);
	}
	EXPECT_TRUE(readFile(folder / "ours-out.gguf") == readFile(folder / "theirs-out.gguf"));
}

TEST(ImatrixFile, TruncatedAndFlippedFilesDoNoHarm) {
	GgufImage whole;
	whole.header(2, 3).array("imatrix.datasets", MetaType::String, 1).text("d");
	whole.key("imatrix.chunk_count", MetaType::U32).put<uint32_t>(1).key("imatrix.chunk_size", MetaType::U32).put<uint32_t>(512);
	whole.tensor("w.in_sum2", {4, 2}, TensorType::F32, 0).tensor("w.counts", {1, 2}, TensorType::F32, 32).pad().zeros(64);
	ASSERT_TRUE(parseImatrixSums(whole.bytes, "x").ok());
	for (size_t length = 0; length < whole.bytes.size() - 24; ++length)
		EXPECT_FALSE(parseImatrixSums(Bytes(whole.bytes).first(length), "x").ok());
	for (size_t bit = 0; bit < whole.bytes.size() * 8; ++bit) {
		auto image = whole.bytes;
		image[bit / 8] ^= std::byte(1 << (bit % 8));
		if (const auto sums = parseImatrixSums(image, "x"); sums.ok()) (void)importanceOf(*sums, "x");
	}
}
