// Vulkan calls that can fail go through VKQ_VK_TRY, in every build: a failure becomes an Error that names the call.
#pragma once

#include "core/result.h"

#include <vulkan/vulkan.h>

namespace vkq::vk {

/// "VK_ERROR_DEVICE_LOST", ...
const char* resultName(VkResult result);

/// The Error for a failed call; `call` is its text, of which the function's name is kept.
Error vulkanError(VkResult result, const char* call);

}  // namespace vkq::vk

/// Runs a Vulkan call; returns an Error from the enclosing function unless it gives VK_SUCCESS.
#define VKQ_VK_TRY(call)                                                              \
	do {                                                                              \
		if (const VkResult vkq_result_ = (call); vkq_result_ != VK_SUCCESS)           \
			return ::vkq::vk::vulkanError(vkq_result_, #call);                        \
	} while (0)
