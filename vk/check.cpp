#include "vk/check.h"

#include <fmt/format.h>

#include <string_view>

namespace vkq::vk {

const char* resultName(VkResult result) {
	switch (result) {
#define NAME(code) case code: return #code
		NAME(VK_SUCCESS);
		NAME(VK_NOT_READY);
		NAME(VK_TIMEOUT);
		NAME(VK_INCOMPLETE);
		NAME(VK_ERROR_OUT_OF_HOST_MEMORY);
		NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY);
		NAME(VK_ERROR_INITIALIZATION_FAILED);
		NAME(VK_ERROR_DEVICE_LOST);
		NAME(VK_ERROR_MEMORY_MAP_FAILED);
		NAME(VK_ERROR_LAYER_NOT_PRESENT);
		NAME(VK_ERROR_EXTENSION_NOT_PRESENT);
		NAME(VK_ERROR_FEATURE_NOT_PRESENT);
		NAME(VK_ERROR_INCOMPATIBLE_DRIVER);
		NAME(VK_ERROR_TOO_MANY_OBJECTS);
		NAME(VK_ERROR_FORMAT_NOT_SUPPORTED);
		NAME(VK_ERROR_FRAGMENTED_POOL);
		NAME(VK_ERROR_OUT_OF_POOL_MEMORY);
		NAME(VK_ERROR_INVALID_EXTERNAL_HANDLE);
		NAME(VK_ERROR_INVALID_SHADER_NV);
#undef NAME
		default: return "an unknown VkResult";
	}
}

Error vulkanError(VkResult result, const char* call) {
	std::string_view name = call;
	name = name.substr(0, name.find('('));
	const std::string message = fmt::format("{} failed with {}", name, resultName(result));
	switch (result) {
		case VK_ERROR_DEVICE_LOST:
			return fail(ErrorCode::kDeviceLost, "the Vulkan device was lost: " + message, "the driver reset it or it was removed; its log (dmesg) says more");
		case VK_ERROR_OUT_OF_DEVICE_MEMORY:
			return fail(ErrorCode::kOutOfDeviceMemory, "out of device memory: " + message, "close other programs that use this device, or choose another with --device");
		case VK_ERROR_OUT_OF_HOST_MEMORY:
			return fail(ErrorCode::kOutOfMemory, "out of memory: " + message);
		case VK_ERROR_INCOMPATIBLE_DRIVER:
			return fail(ErrorCode::kNoDevice, "no Vulkan driver was found: " + message, "install your GPU's driver, or the software device: apt-get install mesa-vulkan-drivers");
		default:
			return fail(ErrorCode::kUnsupported, "Vulkan: " + message);
	}
}

}  // namespace vkq::vk
