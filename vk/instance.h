// The connection to the Vulkan loader. One an application; devices hold it alive.
#pragma once

#include "core/result.h"

#include <vulkan/vulkan.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace vkq::vk {

class Instance {
public:
	/// `validation` turns the Khronos layer on (VKQ_VALIDATION=1 does too); an Error if it is wanted and not installed.
	static Result<std::shared_ptr<Instance>> create(bool validation = false);
	~Instance();
	Instance(const Instance&) = delete;
	Instance& operator=(const Instance&) = delete;

	VkInstance handle() const { return instance_; }
	/// Warnings and errors that the validation layer has printed so far.
	uint64_t validationMessages() const { return messages_.load(); }

private:
	Instance() = default;
	VkInstance instance_ = VK_NULL_HANDLE;
	VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
	std::atomic<uint64_t> messages_{0};
};

}  // namespace vkq::vk
