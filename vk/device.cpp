#include "vk/device.h"

#include "shaders/shader_code.h"
#include "vk/check.h"
#include "vk/cooperative_matrix.h"
#include "vk/env.h"
#include "vk/pipeline_cache.h"

#include <fmt/format.h>

namespace vkq::vk {

namespace {

template <class Head, class Next>
void chain(Head& head, Next& next) {
	next.pNext = const_cast<void*>(head.pNext);
	head.pNext = &next;
}

}  // namespace

Result<std::unique_ptr<Device>> Device::open(std::string_view wanted, bool validation) {
	VKQ_TRY(auto instance, Instance::create(validation));
	VKQ_TRY(auto devices, listDevices(instance));
	VKQ_TRY(auto info, chooseDevice(devices, wanted));
	return create(std::move(instance), info);
}

Result<std::unique_ptr<Device>> Device::create(std::shared_ptr<Instance> instance, const DeviceInfo& info) {
	std::unique_ptr<Device> device(new Device);
	device->instance_ = std::move(instance);
	device->info_ = info;
	device->account_.resize(info.heaps.size());
	const DeviceFeatures& has = info.features;

	VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
	VkPhysicalDeviceVulkan11Features v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};
	VkPhysicalDeviceVulkan12Features v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
	VkPhysicalDeviceSubgroupSizeControlFeatures size_control{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
	VkPhysicalDeviceShaderIntegerDotProductFeatures dot{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
	features.features.shaderInt16 = has.int16;
	features.features.shaderInt64 = has.int64;
	features.features.shaderFloat64 = has.float64;
	v11.storageBuffer16BitAccess = has.storage16;
	v12.storageBuffer8BitAccess = has.storage8;
	v12.shaderInt8 = has.int8;
	v12.shaderFloat16 = has.float16;
	v12.scalarBlockLayout = has.scalar_layout;
	v12.bufferDeviceAddress = has.buffer_device_address;
	v12.timelineSemaphore = has.timeline_semaphores;
	size_control.subgroupSizeControl = size_control.computeFullSubgroups = has.subgroup_size_control;
	dot.shaderIntegerDotProduct = has.integer_dot_product;
	chain(features, v11);
	chain(features, v12);

	std::vector<const char*> extensions;
	if (has.subgroup_size_control) {
		extensions.push_back(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
		chain(features, size_control);
	}
	if (has.integer_dot_product) {
		extensions.push_back(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
		chain(features, dot);
	}
	if (has.external_host_memory) extensions.push_back(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
	if (has.memory_budget) extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
	VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
	cooperative.cooperativeMatrix = VK_TRUE;
	if (has.cooperative_matrix && !shaderCode(ShaderId::product_cooperative).words.empty()) {   // older validation layers, too, know nothing of it
		extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
		chain(features, cooperative);
		v12.vulkanMemoryModel = VK_TRUE;
	}

	const float priority = 1.0f;
	VkDeviceQueueCreateInfo queue{VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
	queue.queueFamilyIndex = info.compute_family;
	queue.queueCount = 1;
	queue.pQueuePriorities = &priority;
	VkDeviceCreateInfo create{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO};
	create.pNext = &features;
	create.queueCreateInfoCount = 1;
	create.pQueueCreateInfos = &queue;
	create.enabledExtensionCount = uint32_t(extensions.size());
	create.ppEnabledExtensionNames = extensions.data();
	VKQ_VK_TRY(vkCreateDevice(info.physical, &create, nullptr, &device->device_));
	vkGetDeviceQueue(device->device_, info.compute_family, 0, &device->queue_);

	if (has.external_host_memory)
		device->getMemoryHostPointerProperties =
			reinterpret_cast<PFN_vkGetMemoryHostPointerPropertiesEXT>(vkGetDeviceProcAddr(device->device_, "vkGetMemoryHostPointerPropertiesEXT"));
	VKQ_TRY(device->pipelines_, PipelineCache::create(device->device_, info));
	return device;
}

Device::~Device() {
	if (!device_) return;
	vkDeviceWaitIdle(device_);
	pipelines_.reset();
	vkDestroyDevice(device_, nullptr);
}

Result<const Pipeline*> Device::pipeline(const PipelineSpec& spec) { return pipelines_->get(spec); }

Result<void> Device::submit(VkCommandBuffer commands, VkFence fence) {
	std::lock_guard lock(queue_mutex_);
	++submits_;
	if (environment().fault == Fault::DeviceLost && submits_ >= environment().fault_at) return vulkanError(VK_ERROR_DEVICE_LOST, "vkQueueSubmit(VKQ_FAULT)");
	VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO};
	info.commandBufferCount = 1;
	info.pCommandBuffers = &commands;
	VKQ_VK_TRY(vkQueueSubmit(queue_, 1, &info, fence));
	return {};
}

Result<void> Device::waitIdle() {
	std::lock_guard lock(queue_mutex_);
	VKQ_VK_TRY(vkQueueWaitIdle(queue_));
	return {};
}

std::vector<HeapAccount> Device::account() const {
	std::lock_guard lock(account_mutex_);
	return account_;
}

void Device::countAllocation(uint32_t heap, uint64_t bytes) {
	std::lock_guard lock(account_mutex_);
	HeapAccount& account = account_[heap];
	account.allocated += bytes;
	account.peak = std::max(account.peak, account.allocated);
	++account.allocations;
}

void Device::countRelease(uint32_t heap, uint64_t bytes) {
	std::lock_guard lock(account_mutex_);
	account_[heap].allocated -= bytes;
	--account_[heap].allocations;
}

Result<void> Device::checkAllocationFault() {
	std::lock_guard lock(account_mutex_);
	if (environment().fault == Fault::OutOfMemory && ++fault_allocations_ >= environment().fault_at)
		return vulkanError(VK_ERROR_OUT_OF_DEVICE_MEMORY, "vkAllocateMemory(VKQ_FAULT)");
	return {};
}

}  // namespace vkq::vk
