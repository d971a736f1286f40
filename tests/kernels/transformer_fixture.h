// A device (validated where the layer is installed), buffers that the host sees, and random numbers for kernel tests.
#pragma once

#include "kernels/product.h"
#include "quant/device_layout.h"
#include "shaders/shared/product.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <vector>

namespace vkq {

struct KernelTest : testing::Test {
	std::unique_ptr<vk::Device> device;
	std::mt19937 random{7};

	void SetUp() override {
		auto opened = vk::Device::open({}, true);
		if (!opened) opened = vk::Device::open();   // the validation layer is optional
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
	}
	void TearDown() override {
		if (!device) return;
		EXPECT_EQ(device->instance().validationMessages(), 0u);
	}

	vk::Buffer buffer(uint64_t bytes) {
		auto made = vk::Buffer::create(*device, std::max<uint64_t>(bytes, 16), vk::MemoryUse::Download);
		EXPECT_TRUE(made.ok()) << made.error().message;
		std::memset(made->mapped(), 0, made->bytes());
		return std::move(made).value();
	}
	template <class T>
	vk::Buffer bufferOf(const std::vector<T>& values) {
		vk::Buffer made = buffer(values.size() * sizeof(T));
		std::memcpy(made.mapped(), values.data(), values.size() * sizeof(T));
		return made;
	}
	static std::span<float> floats(const vk::Buffer& buffer) { return {reinterpret_cast<float*>(buffer.mapped()), buffer.bytes() / 4}; }
	static std::span<uint32_t> words(const vk::Buffer& buffer) { return {reinterpret_cast<uint32_t*>(buffer.mapped()), buffer.bytes() / 4}; }

	std::vector<float> normal(size_t count, float spread = 1.0f) {
		std::normal_distribution<float> distribution(0.0f, spread);
		std::vector<float> values(count);
		for (float& value : values) value = distribution(random);
		return values;
	}

	/// Expects that an output's 8 bits are what quantizing its floats [rows][columns] gives.
	void expectQuantized(const vk::Buffer& output_floats, const vk::Buffer& output_8bits, uint32_t columns, uint32_t rows, bool packed_bytes) {
		auto expected = buffer(quantizedActivationBytes(columns, rows));
		run([&](vk::CommandBuffer& commands) { return quantizeActivations(*device, commands, {output_floats}, columns, rows, expected, packed_bytes); });
		const uint32_t block_words = packed_bytes ? VKQ_ACTIVATION_BYTES_WORDS : VKQ_ACTIVATION_WORDS;
		for (uint32_t i = 0; i < columns / 32 * rows * block_words; ++i) ASSERT_EQ(words(output_8bits)[i], words(expected)[i]) << "word " << i << " of " << rows << " x " << columns;
	}

	/// Records with `record(commands)`, submits, waits.
	template <class Record>
	void run(Record&& record) {
		auto commands = vk::CommandBuffer::create(*device);
		ASSERT_TRUE(commands.ok()) << commands.error().message;
		ASSERT_TRUE(commands->begin().ok());
		const Result<void> recorded = record(*commands);
		ASSERT_TRUE(recorded.ok()) << recorded.error().message;
		const Result<void> done = commands->submitAndWait();
		ASSERT_TRUE(done.ok()) << done.error().message;
	}
};

}  // namespace vkq
