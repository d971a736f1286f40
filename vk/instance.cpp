#include "vk/instance.h"

#include "vk/check.h"
#include "vk/env.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace vkq::vk {

namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL onMessage(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                                         const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
	static_cast<std::atomic<uint64_t>*>(user)->fetch_add(1);
	std::fprintf(stderr, "validation: %s\n", data->pMessage);
	if (environment().validation_fatal) std::abort();   // so that no test can pass over it
	return VK_FALSE;
}

bool layerInstalled(const char* name) {
	uint32_t count = 0;
	vkEnumerateInstanceLayerProperties(&count, nullptr);
	std::vector<VkLayerProperties> layers(count);
	vkEnumerateInstanceLayerProperties(&count, layers.data());
	for (const VkLayerProperties& layer : layers)
		if (!std::strcmp(layer.layerName, name)) return true;
	return false;
}

}  // namespace

Result<std::shared_ptr<Instance>> Instance::create(bool validation) {
	validation = validation || environment().validation;
	std::shared_ptr<Instance> instance(new Instance);

	VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
	application.pApplicationName = "vkquant";
	application.apiVersion = VK_API_VERSION_1_2;
	VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
	info.pApplicationInfo = &application;

	const char* extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
	if (validation) {
		if (!layerInstalled(kValidationLayer))
			return fail(ErrorCode::kUnsupported, "validation was asked for, but the Khronos validation layer is not installed",
			            "apt-get install vulkan-validationlayers");
		info.enabledLayerCount = 1;
		info.ppEnabledLayerNames = &kValidationLayer;
		info.enabledExtensionCount = 1;
		info.ppEnabledExtensionNames = &extension;
	}
	VKQ_VK_TRY(vkCreateInstance(&info, nullptr, &instance->instance_));

	if (validation) {
		VkDebugUtilsMessengerCreateInfoEXT messenger{VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
		messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
		messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
		messenger.pfnUserCallback = onMessage;
		messenger.pUserData = &instance->messages_;
		const auto create = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(vkGetInstanceProcAddr(instance->instance_, "vkCreateDebugUtilsMessengerEXT"));
		if (create) VKQ_VK_TRY(create(instance->instance_, &messenger, nullptr, &instance->messenger_));
	}
	return instance;
}

Instance::~Instance() {
	if (messenger_) {
		const auto destroy = reinterpret_cast<PFN_vkDestroyDebugUtilsMessengerEXT>(vkGetInstanceProcAddr(instance_, "vkDestroyDebugUtilsMessengerEXT"));
		destroy(instance_, messenger_, nullptr);
	}
	if (instance_) vkDestroyInstance(instance_, nullptr);
}

}  // namespace vkq::vk
