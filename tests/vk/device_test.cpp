#include "core/bytes.h"
#include "shaders/shared/copy_words.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/env.h"
#include "vk/memory.h"
#include "vk/software_threads.h"

#include <gtest/gtest.h>

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <numeric>

using namespace vkq;
using namespace vkq::vk;

namespace {

struct DeviceTest : testing::Test {
	std::unique_ptr<Device> device;
	void SetUp() override {
		auto opened = Device::open({}, true);
		if (!opened) opened = Device::open();   // the validation layer is optional
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
	}
	void TearDown() override {
		if (!device) return;
		EXPECT_EQ(device->instance().validationMessages(), 0u);
	}
};

DeviceInfo made(uint32_t index, const char* name, DeviceKind kind, std::vector<std::string> rejections = {}) {
	DeviceInfo info;
	info.index = index;
	info.name = name;
	info.kind = kind;
	info.rejections = std::move(rejections);
	info.uuid[0] = uint8_t(index + 1);
	return info;
}

}  // namespace

TEST(ChooseDevice, PrefersDiscreteThenIntegratedThenSoftware) {
	const auto software = made(0, "llvmpipe", DeviceKind::Software), integrated = made(1, "Iris", DeviceKind::Integrated), discrete = made(2, "Radeon", DeviceKind::Discrete);
	EXPECT_EQ(chooseDevice({software, integrated, discrete})->name, "Radeon");
	EXPECT_EQ(chooseDevice({software, integrated})->name, "Iris");
	EXPECT_EQ(chooseDevice({software})->name, "llvmpipe");
}

TEST(ChooseDevice, FindsByIndexNameAndUuid) {
	const std::vector<DeviceInfo> devices{made(0, "llvmpipe", DeviceKind::Software), made(1, "AMD Radeon RX", DeviceKind::Discrete)};
	EXPECT_EQ(chooseDevice(devices, "0")->name, "llvmpipe");
	EXPECT_EQ(chooseDevice(devices, "radeon")->index, 1u);
	EXPECT_EQ(chooseDevice(devices, devices[1].uuidText())->index, 1u);
	EXPECT_EQ(chooseDevice(devices, "7").error().code, ErrorCode::kNotFound);
	EXPECT_NE(chooseDevice(devices, "geforce").error().hint.find("AMD Radeon RX"), std::string::npos);
}

TEST(ChooseDevice, SaysWhyADeviceWasRejected) {
	const std::vector<DeviceInfo> devices{made(0, "Old", DeviceKind::Discrete, {"it lacks 8-bit storage buffers"}), made(1, "llvmpipe", DeviceKind::Software)};
	EXPECT_EQ(chooseDevice(devices)->name, "llvmpipe");
	EXPECT_NE(chooseDevice(devices, "old").error().message.find("8-bit storage"), std::string::npos);
	EXPECT_EQ(chooseDevice({}).error().code, ErrorCode::kNoDevice);
}

TEST_F(DeviceTest, TheValidationLayerIsHeard) {
	// That nothing is said elsewhere means something only if it would be.
	const auto makeEmptyBuffer = [this] {
		VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
		info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
		VkBuffer buffer = VK_NULL_HANDLE;
		vkCreateBuffer(device->handle(), &info, nullptr, &buffer);
		vkDestroyBuffer(device->handle(), buffer, nullptr);
		return device->instance().validationMessages();
	};
	auto validated = Device::open({}, true);
	if (!validated) GTEST_SKIP() << validated.error().message;
	device = std::move(validated).value();
	if (environment().validation_fatal) EXPECT_DEATH(makeEmptyBuffer(), "validation: .*size");
	else EXPECT_GT(makeEmptyBuffer(), 0u);
	device.reset();
}

TEST_F(DeviceTest, CopiesWordsThroughAShader) {
	constexpr uint32_t kWords = 4 * 1000;
	auto source = Buffer::create(*device, kWords * 4, MemoryUse::Upload);
	auto target = Buffer::create(*device, kWords * 4, MemoryUse::Download);
	ASSERT_TRUE(source.ok() && target.ok());
	auto* words = reinterpret_cast<uint32_t*>(source->mapped());
	std::iota(words, words + kWords, 7u);
	auto pipeline = device->pipeline({.shader = ShaderId::copy_words, .constants = {64}});
	ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
	auto commands = CommandBuffer::create(*device, 2);
	ASSERT_TRUE(commands.ok());
	ASSERT_TRUE(commands->begin().ok());
	commands->timestamp();
	commands->dispatch(**pipeline, {*source, *target}, shader::CopyWordsPush{kWords / 4}, {4});
	commands->timestamp();
	ASSERT_TRUE(commands->submitAndWait().ok());
	EXPECT_EQ(std::memcmp(source->mapped(), target->mapped(), kWords * 4), 0);
	if (device->limits().timestamp_ns > 0) {
		EXPECT_GT(commands->timestampNs(0, 1).value(), 0.0);
	}
}

TEST_F(DeviceTest, SubmitsARecordingAgain) {
	auto source = Buffer::create(*device, 64, MemoryUse::Upload);
	auto target = Buffer::create(*device, 64, MemoryUse::Download);
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(source.ok() && target.ok() && commands.ok());
	ASSERT_TRUE(commands->begin().ok());
	commands->copy(*source, 0, *target, 0, 64);
	for (int round = 1; round <= 3; ++round) {
		std::memset(source->mapped(), round, 64);
		ASSERT_TRUE(commands->submitAndWait().ok());
		EXPECT_EQ(int(target->mapped()[63]), round);
	}
}

TEST_F(DeviceTest, NamesOtherBuffersWhenRecordedAnew) {
	constexpr uint32_t kDispatches = 70, kWords = 4;   // more dispatches than a pool has descriptor sets
	auto pipeline = device->pipeline({.shader = ShaderId::copy_words, .constants = {64}});
	auto commands = CommandBuffer::create(*device);
	ASSERT_TRUE(pipeline.ok() && commands.ok());
	for (const uint32_t first : {100u, 200u}) {
		std::vector<Buffer> sources;   // gone before the next round: their handles may be given out again
		auto target = Buffer::create(*device, kDispatches * 256, MemoryUse::Download);
		ASSERT_TRUE(target.ok());
		ASSERT_TRUE(commands->begin().ok());
		for (uint32_t i = 0; i < kDispatches; ++i) {
			auto source = Buffer::create(*device, kWords * 4, MemoryUse::Upload);
			ASSERT_TRUE(source.ok());
			reinterpret_cast<uint32_t*>(source->mapped())[3] = first + i;
			sources.push_back(std::move(source).value());
			commands->dispatch(**pipeline, {sources.back(), BufferView(*target, i * 256, kWords * 4)}, shader::CopyWordsPush{kWords / 4}, {1});
		}
		ASSERT_TRUE(commands->submitAndWait().ok());
		for (uint32_t i = 0; i < kDispatches; ++i) EXPECT_EQ(reinterpret_cast<const uint32_t*>(target->mapped() + i * 256)[3], first + i);
	}
}

TEST(SoftwareThreads, SmallModelsStayOnTheCallingThread) {
	if (std::getenv("LP_NUM_THREADS")) GTEST_SKIP() << "LP_NUM_THREADS is set: it stands";
	chooseSoftwareThreads(3 << 20);
	EXPECT_STREQ(std::getenv("LP_NUM_THREADS"), "0");
	chooseSoftwareThreads(uint64_t(400) << 20);
	EXPECT_EQ(std::getenv("LP_NUM_THREADS"), nullptr);
}

TEST_F(DeviceTest, CountsWhatItHoldsPerHeap) {
	const auto total = [&] {
		uint64_t sum = 0;
		for (const HeapAccount& heap : device->account()) sum += heap.allocated;
		return sum;
	};
	EXPECT_EQ(total(), 0u);
	{
		auto memory = Memory::allocate(*device, 1 << 20, MemoryUse::Device);
		ASSERT_TRUE(memory.ok());
		EXPECT_EQ(total(), 1u << 20);
		const uint64_t alignment = bufferAlignment(*device);
		auto first = Buffer::place(*memory, 0, alignment), second = Buffer::place(*memory, alignment, alignment);
		ASSERT_TRUE(first.ok() && second.ok());
		EXPECT_EQ(total(), 1u << 20);
	}
	EXPECT_EQ(total(), 0u);
}

TEST_F(DeviceTest, RefusesMoreThanTheLargestAllocation) {
	auto memory = Memory::allocate(*device, device->limits().allocation + 1, MemoryUse::Device);
	ASSERT_FALSE(memory.ok());
	EXPECT_EQ(memory.error().code, ErrorCode::kDoesNotFit);
}

TEST_F(DeviceTest, ReadsImportedHostMemoryInPlace) {
	const uint64_t page = device->limits().import_alignment;
	if (!page) GTEST_SKIP() << "the device cannot import host memory";
	const uint64_t bytes = alignUp(1 << 16, page);
	void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(address, MAP_FAILED);
	std::memset(address, 0x5a, bytes);
	{
		auto memory = Memory::import(*device, address, bytes);
		ASSERT_TRUE(memory.ok()) << memory.error().message;
		auto source = Buffer::place(*memory, 0, bytes);
		auto target = Buffer::create(*device, bytes, MemoryUse::Download);
		auto commands = CommandBuffer::create(*device);
		ASSERT_TRUE(source.ok() && target.ok() && commands.ok());
		ASSERT_TRUE(commands->begin().ok());
		commands->copy(*source, 0, *target, 0, bytes);
		ASSERT_TRUE(commands->submitAndWait().ok());
		EXPECT_EQ(std::memcmp(address, target->mapped(), bytes), 0);
	}
	munmap(address, bytes);
}
