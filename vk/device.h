// A logical device with one compute queue, its memory account and its pipelines. Holds the instance alive; everything made
// from a Device must be destroyed before it.
//
// Thread rules: submit(), account() and pipeline() may be called from several threads; the rest belongs to one thread.
#pragma once

#include "core/result.h"
#include "vk/device_info.h"
#include "vk/instance.h"
#include "vk/pipeline.h"

#include <vulkan/vulkan.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace vkq::vk {

class PipelineCache;

/// Bytes that this Device holds in one heap.
struct HeapAccount {
	uint64_t allocated = 0;
	uint64_t peak = 0;
	uint64_t allocations = 0;
};

class Device {
public:
	/// `wanted` as in chooseDevice().
	static Result<std::unique_ptr<Device>> open(std::string_view wanted = {}, bool validation = false);
	static Result<std::unique_ptr<Device>> create(std::shared_ptr<Instance> instance, const DeviceInfo& info);
	~Device();
	Device(const Device&) = delete;
	Device& operator=(const Device&) = delete;

	const DeviceInfo& info() const { return info_; }
	const DeviceLimits& limits() const { return info_.limits; }
	const DeviceFeatures& features() const { return info_.features; }
	VkDevice handle() const { return device_; }
	const Instance& instance() const { return *instance_; }

	/// The pipeline for a shader variant: made at first use, kept until the device goes. Fails for shaders that the build left out.
	Result<const Pipeline*> pipeline(const PipelineSpec& spec);

	Result<void> submit(VkCommandBuffer commands, VkFence fence);
	Result<void> waitIdle();

	std::vector<HeapAccount> account() const;
	void countAllocation(uint32_t heap, uint64_t bytes);   // vk/memory calls these two
	void countRelease(uint32_t heap, uint64_t bytes);
	/// Counts allocations for VKQ_FAULT; an Error when this is the one that shall fail.
	Result<void> checkAllocationFault();

	// Extension entry points, null where the extension is not enabled.
	PFN_vkGetMemoryHostPointerPropertiesEXT getMemoryHostPointerProperties = nullptr;

private:
	Device() = default;
	std::shared_ptr<Instance> instance_;
	DeviceInfo info_;
	VkDevice device_ = VK_NULL_HANDLE;
	VkQueue queue_ = VK_NULL_HANDLE;
	std::unique_ptr<PipelineCache> pipelines_;
	std::vector<HeapAccount> account_;
	uint64_t submits_ = 0, fault_allocations_ = 0;
	mutable std::mutex queue_mutex_, account_mutex_;
};

}  // namespace vkq::vk
