// Device decoders against the host's: the same floats, from blocks at any byte offset, of any bits.
#include "kernels/decoder.h"
#include "quant/codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

using namespace vkq;
using namespace vkq::vk;

namespace {

std::unique_ptr<Device> device;

struct DecodeEveryType : testing::TestWithParam<TensorType> {
	static void SetUpTestSuite() {
		auto opened = Device::open({}, true);
		if (!opened) opened = Device::open();   // the validation layer is optional
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
	}
	static void TearDownTestSuite() {
		if (!device) return;
		EXPECT_EQ(device->instance().validationMessages(), 0u);
		device.reset();
	}

	static Result<std::vector<float>> decode(const std::vector<std::byte>& blocks, uint64_t elements, uint32_t shift) {
		VKQ_TRY(const Decoder decoder, Decoder::create(*device, GetParam()));
		VKQ_TRY(auto in, Buffer::create(*device, (blocks.size() + shift + 3) / 4 * 4, MemoryUse::Upload));
		VKQ_TRY(auto out, Buffer::create(*device, elements * 4 + 8, MemoryUse::Download));
		std::memcpy(in.mapped() + shift, blocks.data(), blocks.size());
		std::memset(out.mapped(), 0xee, out.bytes());
		VKQ_TRY(auto commands, CommandBuffer::create(*device));
		VKQ_CHECK(commands.begin());
		decoder.record(commands, {.blocks = in, .blocks_offset = shift, .output = out, .output_offset = 4, .elements = elements});
		VKQ_CHECK(commands.submitAndWait());
		std::vector<float> values(elements + 2);
		std::memcpy(values.data(), out.mapped(), out.bytes());
		for (const float guard : {values.front(), values.back()}) EXPECT_EQ(std::bit_cast<uint32_t>(guard), 0xeeeeeeeeu) << "wrote outside its range";
		return std::vector<float>(values.begin() + 1, values.end() - 1);
	}
};

bool same(float a, float b) {
	if (std::isnan(a) && std::isnan(b)) return true;
	return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

}  // namespace

TEST_P(DecodeEveryType, EqualsTheHostOnAnyBits) {
	const TypeInfo& type = typeInfo(GetParam());
	std::mt19937 random(1);
	const uint64_t blocks = 1000;
	std::vector<std::byte> bytes(blocks * type.block_bytes);
	for (std::byte& byte : bytes) byte = std::byte(random());
	std::vector<float> expected(blocks * type.block_elements);
	decodeRow(type.type, bytes.data(), expected.size(), expected.data());
	for (const uint32_t shift : {0u, 2u, 6u, 16u, 17u}) {
		if (shift % 2 && type.block_bytes % 2 == 0) continue;
		const auto got = decode(bytes, expected.size(), shift);
		ASSERT_TRUE(got.ok()) << got.error().message;
		for (size_t i = 0; i < expected.size(); ++i)
			ASSERT_TRUE(same(expected[i], (*got)[i])) << "weight " << i << ": expected " << expected[i] << ", got " << (*got)[i] << ", shift " << shift;
	}
}

std::vector<TensorType> decodedTypes() {
	std::vector<TensorType> types;
	for (const TypeInfo& info : allTypes())
		if (Decoder::supports(info.type)) types.push_back(info.type);
	return types;
}

INSTANTIATE_TEST_SUITE_P(Types, DecodeEveryType, testing::ValuesIn(decodedTypes()), [](const auto& entry) { return std::string(typeName(entry.param)); });

TEST(Decoders, ExistForEveryQuantizedTypeWithACodec) {
	for (const TypeInfo& info : allTypes()) EXPECT_EQ(Decoder::supports(info.type), info.quantized && info.has_codec) << info.name;
}
