#include "ggufio/safetensors.h"

#include "huggingface_model.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

using namespace vkq;
using namespace vkq::test;

namespace {

std::string errorOf(const std::vector<std::byte>& image) {
	const auto file = SafetensorsFile::parse(image, "x.safetensors");
	return file.ok() ? "(no error)" : file.error().message;
}

/// A tensor's entry; `type` and the rest as JSON.
std::string entry(std::string_view name, std::string_view type, std::string_view shape, std::string_view offsets) {
	return "\"" + std::string(name) + "\":{\"dtype\":" + std::string(type) + ",\"shape\":" + std::string(shape) + ",\"data_offsets\":" + std::string(offsets) + "}";
}

StoredImages someTensors() {
	return {{"b", numbered({3, 4}, 1.0f)}, {"a", numbered({5}, 2.0f, "F32")}, {"scalar", floats({}, {7.0f})}, {"empty", {"F16", {0, 4}, {}}},
	        {"e4m3", {"F8_E4M3", {2}, bytesOf("\x38\xb8")}}};
}

}  // namespace

TEST(Safetensors, FindsTensorsWithTheirTypesAndShapes) {
	const auto image = safetensorsFile(someTensors());
	const auto file = SafetensorsFile::parse(image, "x.safetensors");
	ASSERT_TRUE(file.ok()) << file.error().message;
	EXPECT_EQ(file->tensors().size(), 5u);
	const SafetensorsTensor* b = file->find("b");
	ASSERT_NE(b, nullptr);
	EXPECT_EQ(b->type, SafetensorsType::BF16);
	EXPECT_EQ(b->shape, (std::vector<uint64_t>{3, 4}));
	EXPECT_EQ(b->rows(), 3u);
	EXPECT_EQ(b->rowBytes(), 8u);
	EXPECT_EQ(file->find("scalar")->elements(), 1u);
	EXPECT_EQ(file->find("empty")->bytes, 0u);
	EXPECT_EQ(file->find("missing"), nullptr);
	float first;
	std::memcpy(&first, file->data(*file->find("a")).data(), 4);
	EXPECT_EQ(first, 2.0f);
	std::vector<std::byte> row(8);
	ASSERT_TRUE(file->read(*b, 8, 8, row.data()).ok());
	EXPECT_TRUE(std::equal(row.begin(), row.end(), file->data(*b).begin() + 8));
}

TEST(Safetensors, AllowsSpacesAfterTheHeaderAndUnknownFields) {
	const std::string header = "{\"w\":{\"dtype\":\"U8\",\"note\":\"x\",\"shape\":[2],\"data_offsets\":[0,2]}}     ";
	EXPECT_EQ(errorOf(safetensorsFile(header, 2)), "(no error)");
	EXPECT_EQ(errorOf(safetensorsFile("{}", 0)), "(no error)");
}

TEST(Safetensors, RefusesContradictionsByName) {
	const auto with = [](std::string_view tensors, size_t bytes) { return errorOf(safetensorsFile("{" + std::string(tensors) + "}", bytes)); };
	EXPECT_EQ(with(entry("w", "\"F32\"", "[2]", "[0,4]"), 4), "x.safetensors: tensor 'w': its shape [2] of F32 takes 8 bytes, its data_offsets have 4");
	EXPECT_EQ(with(entry("w", "\"F32\"", "[1]", "[4,0]"), 4), "x.safetensors: tensor 'w': data_offsets end at 0 before they begin at 4");
	EXPECT_EQ(with(entry("w", "\"F32\"", "[2]", "[0,8]"), 4), "x.safetensors: tensor 'w': ends at byte 8 of 4 bytes of data");
	EXPECT_EQ(with(entry("v", "\"U8\"", "[4]", "[0,4]") + "," + entry("w", "\"U8\"", "[4]", "[2,6]"), 6),
	          "x.safetensors: tensor 'w': begins at byte 2 of the data, inside the tensor before it, which ends at 4");
	EXPECT_EQ(with(entry("v", "\"U8\"", "[2]", "[0,2]") + "," + entry("w", "\"U8\"", "[2]", "[4,6]"), 6),
	          "x.safetensors: tensor 'w': begins at byte 4 of the data, with a hole after byte 2");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[2]", "[0,2]"), 6), "x.safetensors: 4 bytes follow the last tensor");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[2]", "[0,2]") + "," + entry("w", "\"U8\"", "[2]", "[2,4]"), 4), "x.safetensors: tensor 'w' is there twice");
	EXPECT_EQ(with(entry("w", "\"Q4\"", "[2]", "[0,2]"), 2), "x.safetensors: tensor 'w': its type 'Q4' is unknown");
	EXPECT_EQ(with(entry("w", "7", "[2]", "[0,2]"), 2), "x.safetensors: tensor 'w': dtype is of the wrong kind");
	EXPECT_EQ(with(entry("w", "\"U8\"", "2", "[0,2]"), 2), "x.safetensors: tensor 'w': shape is of the wrong kind");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[-2]", "[0,2]"), 2), "x.safetensors: tensor 'w': shape has a negative number, -2");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[2.5]", "[0,2]"), 2), "x.safetensors: tensor 'w': shape has 2.5, which is not a whole number of 64 bits");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[2]", "[0,2,4]"), 2), "x.safetensors: tensor 'w': data_offsets has 3 numbers instead of two");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[[2]]", "[0,2]"), 2), "x.safetensors: tensor 'w': a list where none belongs");
	EXPECT_EQ(with(entry("w", "\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0),
	          "x.safetensors: tensor 'w': its shape [4294967296, 4294967296] is too large");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[0,18446744073709551615]", "[0,0]"), 0),
	          "x.safetensors: tensor 'w': its shape [0, 18446744073709551615] is too large");
	EXPECT_EQ(with(entry("w", "\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1), "x.safetensors: tensor 'w': shape has more than 8 numbers");
	EXPECT_EQ(with("\"w\":{\"dtype\":\"U8\",\"shape\":[0]}", 0), "x.safetensors: tensor 'w': data_offsets is missing");
	EXPECT_EQ(with("\"w\":5", 0), "x.safetensors: the header is not an object of tensors");
	EXPECT_EQ(with("\"__metadata__\":{\"a\":5}", 0), "x.safetensors: __metadata__ has a value that is not a string");
	EXPECT_EQ(with("\"__metadata__\":{\"a\":{}}", 0), "x.safetensors: an object where none belongs");
}

TEST(Safetensors, RefusesWhatIsNoHeader) {
	EXPECT_EQ(errorOf(bytesOf("")), "x.safetensors: is an empty file, not a safetensors file");
	EXPECT_EQ(errorOf(bytesOf("abc")), "x.safetensors: 3 bytes are too few for a safetensors file");
	EXPECT_EQ(errorOf(bytesOf("GGUF\3\0\0\0 and more")), "x.safetensors: is a GGUF file, not a safetensors file");
	std::vector<std::byte> huge(64, std::byte{1});
	const uint64_t length = uint64_t(1) << 60;
	std::memcpy(huge.data(), &length, 8);
	EXPECT_EQ(errorOf(huge), "x.safetensors: a header of 1152921504606846976 bytes is not that of a safetensors file");
	std::vector<std::byte> cut = safetensorsFile(someTensors());
	cut.resize(100);
	EXPECT_NE(errorOf(cut).find("bytes, 92 are there"), std::string::npos) << errorOf(cut);
	EXPECT_EQ(errorOf(safetensorsFile("[]")), "x.safetensors: the header is not a JSON object");
	EXPECT_NE(errorOf(safetensorsFile("{\"w\":")).find("x.safetensors: the header is not valid JSON at byte"), std::string::npos);
	EXPECT_NE(errorOf(safetensorsFile("{} {}")).find("not valid JSON"), std::string::npos);
	EXPECT_NE(errorOf(safetensorsFile("{\"\xff\":1}")).find("not valid JSON"), std::string::npos);
	// A million brackets are refused at the first that does not belong.
	EXPECT_EQ(errorOf(safetensorsFile("{\"w\":" + std::string(1'000'000, '['))), "x.safetensors: a list where none belongs");
}

TEST(Safetensors, RefusesEveryTruncation) {
	const auto image = safetensorsFile(someTensors());
	for (size_t length = 0; length < image.size(); ++length) {
		const std::vector<std::byte> cut(image.begin(), image.begin() + std::ptrdiff_t(length));
		EXPECT_NE(errorOf(cut), "(no error)") << length;
	}
}

TEST(Safetensors, SurvivesEveryFlippedBitOfTheHeader) {
	auto image = safetensorsFile(someTensors());
	for (size_t at = 0; at < image.size(); ++at) {
		for (int bit = 0; bit < 8; ++bit) {
			image[at] ^= std::byte(1 << bit);
			if (const auto file = SafetensorsFile::parse(image, "x"); file.ok()) {
				for (const SafetensorsTensor& tensor : file->tensors()) EXPECT_EQ(file->data(tensor).size(), tensor.bytes);
			}
			image[at] ^= std::byte(1 << bit);
		}
	}
}

TEST(Safetensors, NoticesAFileThatShrinksWhileItIsRead) {
	const TempFolder folder;
	writeFile(folder / "w.safetensors", safetensorsFile(StoredImages{{"w", {"U8", {100'000}, std::vector<std::byte>(100'000)}}}));
	const auto file = SafetensorsFile::open(folder / "w.safetensors");
	ASSERT_TRUE(file.ok()) << file.error().message;
	std::filesystem::resize_file(folder / "w.safetensors", 4096);
	std::vector<std::byte> out(100'000);
	const auto read = file->read(*file->find("w"), 0, out.size(), out.data());
	ASSERT_FALSE(read.ok());
	EXPECT_EQ(read.error().code, ErrorCode::kIo);
}
