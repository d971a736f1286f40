// Files that break the format, on purpose and at random: each must be refused with a reason, or read without harm.
// Run under the sanitizers too (preset `sanitize`).

#include "ggufio/gguf_reader.h"

#include "gguf_image.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <random>

#include <sys/resource.h>

using namespace vkq;
using namespace vkq::test;

namespace {

/// Parses a copy that ends where its allocation ends, so that reading past the end is noticed; touches all that was accepted.
Result<void> readAll(const std::vector<std::byte>& image) {
	std::unique_ptr<std::byte[]> exact(new std::byte[image.size()]);
	std::copy(image.begin(), image.end(), exact.get());
	VKQ_TRY(const GgufFile file, GgufFile::parse(Bytes(exact.get(), image.size()), "x.gguf"));
	uint64_t sum = 0;
	for (const TensorInfo& tensor : file.tensors())
		for (std::byte byte : file.data(tensor)) sum += uint64_t(byte);
	for (const MetaEntry& entry : file.metadata().entries())
		if (const MetaArray* array = std::get_if<MetaArray>(&entry.value)) sum += metaArraySize(*array);
	volatile uint64_t sink = sum;
	(void)sink;
	return {};
}

std::string errorOf(const GgufImage& image) {
	const auto result = readAll(image.bytes);
	return result.ok() ? "(no error)" : result.error().message;
}

size_t indexOf(const std::vector<std::byte>& image, std::string_view text) {
	const std::string_view all(reinterpret_cast<const char*>(image.data()), image.size());
	return all.find(text);
}

constexpr uint64_t kHuge[] = {0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff0, uint64_t(1) << 62, uint64_t(1) << 40, uint64_t(1) << 32};

}  // namespace

TEST(GgufHostile, EveryTruncationIsRefused) {
	const auto whole = smallImage().bytes;
	for (size_t length = 0; length < whole.size() - 12; ++length) {   // 12 bytes of padding may be missing
		const auto result = readAll({whole.begin(), whole.begin() + ptrdiff_t(length)});
		ASSERT_FALSE(result.ok()) << length;
		ASSERT_FALSE(result.error().message.empty());
	}
}

TEST(GgufHostile, ATruncatedFileSaysWhatIsCut) {
	const auto whole = smallImage().bytes;
	const auto errorAfter = [&](std::string_view text, size_t extra) {
		GgufImage image;
		image.bytes.assign(whole.begin(), whole.begin() + ptrdiff_t(indexOf(whole, text) + text.size() + extra));
		return errorOf(image);
	};
	EXPECT_NE(errorAfter("a.u64", 6).find("inside metadata value 'a.u64'"), std::string::npos);
	EXPECT_NE(errorAfter("a text longer", 0).find("inside metadata value 'a.strings' (element 2 of 3)"), std::string::npos);
	EXPECT_NE(errorAfter("blk.0.attn_norm", 0).find("inside the description of tensor 2 of 3"), std::string::npos);
}

TEST(GgufHostile, FlippedBitsDoNoHarm) {
	auto image = smallImage().bytes;
	const size_t header = image.size() - 352;
	for (size_t bit = 0; bit < header * 8; ++bit) {
		image[bit / 8] ^= std::byte(1 << (bit % 8));
		(void)readAll(image);
		image[bit / 8] ^= std::byte(1 << (bit % 8));
	}
}

TEST(GgufHostile, HugeNumbersAnywhereDoNoHarm) {
	const auto whole = smallImage().bytes;
	const size_t header = whole.size() - 352;
	for (size_t at = 4; at + 8 <= header; ++at)
		for (uint64_t huge : kHuge) {
			auto image = whole;
			std::memcpy(image.data() + at, &huge, sizeof huge);
			(void)readAll(image);
		}
}

TEST(GgufHostile, RandomDamageDoesNoHarm) {
	const auto whole = smallImage().bytes;
	std::mt19937 random(1);
	for (int round = 0; round < 20000; ++round) {
		auto image = whole;
		for (uint32_t n = random() % 8 + 1; n != 0; --n) image[random() % image.size()] = std::byte(random());
		image.resize(random() % 4 ? image.size() : random() % image.size());
		(void)readAll(image);
	}
}

TEST(GgufHostile, DeclaredCountsDoNotAllocate) {
	// Each claims gigabytes in about a hundred bytes. With 256 MiB of address space left, an allocation would throw.
	rlimit old_limit;
	getrlimit(RLIMIT_DATA, &old_limit);
#ifndef __SANITIZE_ADDRESS__   // whose own tables are larger
	const rlimit limit{uint64_t(256) << 20, old_limit.rlim_max};
	setrlimit(RLIMIT_DATA, &limit);
#endif
	const uint64_t many = uint64_t(1) << 30;
	std::vector<std::string> errors;
	errors.push_back(errorOf(GgufImage().header(0, 1).array("k", MetaType::U8, many).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(0, 1).array("k", MetaType::U64, many).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(0, 1).array("k", MetaType::Bool, many).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(0, 1).array("k", MetaType::String, many).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(0, 1).key("k", MetaType::String).put<uint64_t>(many).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(0, uint64_t(1) << 62).zeros(40)));
	errors.push_back(errorOf(GgufImage().header(uint64_t(1) << 62, 0).zeros(40)));
	setrlimit(RLIMIT_DATA, &old_limit);
	for (size_t i = 0; i < 5; ++i) EXPECT_NE(errors[i].find("cut short"), std::string::npos) << i << ": " << errors[i];
	EXPECT_EQ(errors[5], "x.gguf: declares 4611686018427387904 metadata entries, more than its 64 B can hold");
	EXPECT_EQ(errors[6], "x.gguf: declares 4611686018427387904 tensors, more than its 64 B can hold");
}

TEST(GgufHostile, OtherVersionsAndByteOrdersAreNamed) {
	EXPECT_EQ(errorOf(smallImage(1)), "x.gguf: is GGUF version 1; versions 2 and 3 are read");
	EXPECT_EQ(errorOf(smallImage(4)), "x.gguf: is GGUF version 4; versions 2 and 3 are read");
	EXPECT_EQ(errorOf(smallImage(0x03000000)), "x.gguf: is a big-endian GGUF file; only little-endian ones are read");
}

TEST(GgufHostile, MetadataContradictionsAreNamed) {
	const auto entry = [](std::string_view key) { return GgufImage().header(0, 1).key(key, MetaType::U8).put<uint8_t>(1).zeros(8); };
	EXPECT_EQ(errorOf(entry("")), "x.gguf: metadata entry 1 has an empty key");
	EXPECT_EQ(errorOf(GgufImage().header(0, 2).key("k", MetaType::U8).put<uint8_t>(1).key("k", MetaType::U8).put<uint8_t>(2).zeros(8)),
	          "x.gguf: metadata key 'k' occurs twice");
	EXPECT_EQ(errorOf(GgufImage().header(0, 1).text("k").put<uint32_t>(13).zeros(16)), "x.gguf: metadata value 'k' has the unknown type 13");
	EXPECT_EQ(errorOf(GgufImage().header(0, 1).array("k", MetaType::Array, 1).zeros(16)),
	          "x.gguf: metadata value 'k' is an array of arrays, which GGUF does not have");
	EXPECT_EQ(errorOf(GgufImage().header(0, 1).array("k", MetaType::U8, (uint64_t(1) << 30) + 1).zeros(16)),
	          "x.gguf: metadata value 'k' declares an array of 1073741825 elements");
	EXPECT_EQ(errorOf(GgufImage().header(0, 1).key("k", MetaType::String).put<uint64_t>((uint64_t(1) << 30) + 1).zeros(16)),
	          "x.gguf: metadata value 'k' declares a text of 1.00 GiB");
	for (uint32_t alignment : {0u, 3u, 48u})
		EXPECT_EQ(errorOf(GgufImage().header(0, 1).key("general.alignment", MetaType::U32).put(alignment)),
		          "x.gguf: 'general.alignment' is not a power of two of type u32");
	EXPECT_EQ(errorOf(GgufImage().header(0, 1).key("general.alignment", MetaType::U64).put<uint64_t>(32)),
	          "x.gguf: 'general.alignment' is not a power of two of type u32");
}

TEST(GgufHostile, TensorContradictionsAreNamed) {
	const auto one = [] { return GgufImage().header(1, 0); };
	EXPECT_EQ(errorOf(one().tensor("", {1}, TensorType::F32, 0).pad().zeros(32)), "x.gguf: tensor 1 has no name");
	EXPECT_EQ(errorOf(one().tensor(std::string(63, 'n'), {1}, TensorType::F32, 0).pad().zeros(32)), "(no error)");
	EXPECT_EQ(errorOf(one().tensor(std::string(64, 'n'), {1}, TensorType::F32, 0).pad().zeros(32)),
	          "x.gguf: tensor name '" + std::string(64, 'n') + "' is longer than 63 bytes");
	EXPECT_EQ(errorOf(one().tensor("w", {1, 1, 1, 1, 1}, TensorType::F32, 0).pad().zeros(32)), "x.gguf: tensor 'w' has 5 dimensions; at most 4 exist");
	for (uint32_t id : {4u, 5u, 31u, 33u, 36u, 38u, 43u, 0xffffffffu})
		EXPECT_EQ(errorOf(one().tensorOfId("w", {256}, id, 0).pad().zeros(2048)), "x.gguf: tensor 'w' has the unknown type " + std::to_string(id));
	EXPECT_EQ(errorOf(one().tensor("w", {100}, TensorType::Q4_K, 0).pad().zeros(32)),
	          "x.gguf: tensor 'w' has rows of 100 elements, which are no whole Q4_K blocks of 256");
	EXPECT_EQ(errorOf(one().tensor("w", {uint64_t(1) << 32, uint64_t(1) << 32}, TensorType::F32, 0).pad().zeros(32)),
	          "x.gguf: tensor 'w' has more elements than fit 63 bits");
	EXPECT_EQ(errorOf(one().tensor("w", {0, uint64_t(1) << 62, uint64_t(1) << 62}, TensorType::F32, 0).pad().zeros(32)),
	          "x.gguf: tensor 'w' has more elements than fit 63 bits");
	EXPECT_EQ(errorOf(one().tensor("w", {uint64_t(1) << 60, 4}, TensorType::F64, 0).pad().zeros(32)), "x.gguf: tensor 'w' has more bytes than fit 63 bits");
	EXPECT_EQ(errorOf(one().tensor("w", {1}, TensorType::F32, 32).pad().zeros(64)),
	          "x.gguf: tensor 'w' is said to lie at offset 32, but the tensor before it ends at 0");
	EXPECT_EQ(errorOf(GgufImage().header(2, 0).tensor("w", {1}, TensorType::F32, 0).tensor("w", {1}, TensorType::F32, 32).pad().zeros(64)),
	          "x.gguf: tensor 'w' occurs twice");
	EXPECT_EQ(errorOf(GgufImage().header(2, 0).tensor("v", {9}, TensorType::F32, 0).tensor("w", {1}, TensorType::F32, 32).pad().zeros(64)),
	          "x.gguf: tensor 'w' is said to lie at offset 32, but the tensor before it ends at 64");
}

TEST(GgufHostile, NamesInErrorsCannotSteerATerminal) {
	const std::string message = errorOf(GgufImage().header(1, 0).tensor("w\x1b[2J\n", {1, 1, 1, 1, 1}, TensorType::F32, 0).pad());
	EXPECT_EQ(message, "x.gguf: tensor 'w\\x1b[2J\\n' has 5 dimensions; at most 4 exist");
}

TEST(GgufHostile, EmptyTensorsAndScalarsAreHarmless) {
	EXPECT_EQ(errorOf(GgufImage().header(2, 0).tensor("none", {0, 5}, TensorType::F32, 0).tensor("scalar", {}, TensorType::F32, 0).pad().zeros(4)), "(no error)");
}
