#include "vk/device_info.h"

#include "vk/check.h"
#include "vk/cooperative_matrix.h"
#include "vk/env.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <set>

namespace vkq::vk {

namespace {

DeviceKind kindOf(VkPhysicalDeviceType type) {
	switch (type) {
		case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return DeviceKind::Discrete;
		case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return DeviceKind::Integrated;
		case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return DeviceKind::Virtual;
		case VK_PHYSICAL_DEVICE_TYPE_CPU: return DeviceKind::Software;
		default: return DeviceKind::Other;
	}
}

std::set<std::string, std::less<>> extensionsOf(VkPhysicalDevice physical) {
	uint32_t count = 0;
	vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr);
	std::vector<VkExtensionProperties> properties(count);
	vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, properties.data());
	std::set<std::string, std::less<>> names;
	for (const VkExtensionProperties& property : properties) names.insert(property.extensionName);
	return names;
}

/// Appends `next` to the chain that starts at `head`.
template <class Head, class Next>
void chain(Head& head, Next& next) {
	next.pNext = head.pNext;
	head.pNext = &next;
}

void readLimits(const VkPhysicalDeviceProperties& core, const VkPhysicalDeviceMaintenance3Properties& maintenance,
                const VkPhysicalDeviceSubgroupProperties& subgroup, const VkPhysicalDeviceSubgroupSizeControlProperties& sizes, DeviceInfo& device) {
	DeviceLimits& limits = device.limits;
	limits.storage_range = core.limits.maxStorageBufferRange;
	limits.uniform_range = core.limits.maxUniformBufferRange;
	limits.allocation = maintenance.maxMemoryAllocationSize;
	limits.storage_alignment = core.limits.minStorageBufferOffsetAlignment;
	limits.uniform_alignment = core.limits.minUniformBufferOffsetAlignment;
	limits.push_bytes = core.limits.maxPushConstantsSize;
	limits.shared_bytes = core.limits.maxComputeSharedMemorySize;
	limits.workgroup_invocations = core.limits.maxComputeWorkGroupInvocations;
	std::copy_n(core.limits.maxComputeWorkGroupSize, 3, limits.workgroup_size.begin());
	std::copy_n(core.limits.maxComputeWorkGroupCount, 3, limits.workgroup_count.begin());
	limits.allocations = core.limits.maxMemoryAllocationCount;
	limits.subgroup = subgroup.subgroupSize;
	limits.min_subgroup = device.features.subgroup_size_control ? sizes.minSubgroupSize : subgroup.subgroupSize;
	limits.max_subgroup = device.features.subgroup_size_control ? sizes.maxSubgroupSize : subgroup.subgroupSize;
	if (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) {
		const VkSubgroupFeatureFlags operations = subgroup.supportedOperations;
		device.features.subgroup_arithmetic = operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
		device.features.subgroup_shuffle = operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
		device.features.subgroup_ballot = operations & VK_SUBGROUP_FEATURE_BALLOT_BIT;
		device.features.subgroup_clustered = operations & VK_SUBGROUP_FEATURE_CLUSTERED_BIT;
	}
}

void readCooperativeShapes(VkInstance instance, DeviceInfo& device) {
	const auto query = reinterpret_cast<PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR>(
		vkGetInstanceProcAddr(instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
	if (!query) return;
	uint32_t count = 0;
	query(device.physical, &count, nullptr);
	std::vector<VkCooperativeMatrixPropertiesKHR> shapes(count, {VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR});
	query(device.physical, &count, shapes.data());
	for (const auto& shape : shapes) {
		if (shape.scope != VK_SCOPE_SUBGROUP_KHR || shape.AType != shape.BType || shape.CType != shape.ResultType) continue;
		device.cooperative_shapes.push_back({shape.MSize, shape.NSize, shape.KSize, shape.AType == VK_COMPONENT_TYPE_FLOAT16_KHR,
		                                     shape.CType == VK_COMPONENT_TYPE_FLOAT32_KHR, shape.CType == VK_COMPONENT_TYPE_FLOAT16_KHR});
	}
}

uint32_t chooseComputeFamily(VkPhysicalDevice physical, DeviceInfo& device) {
	uint32_t count = 0;
	vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
	std::vector<VkQueueFamilyProperties> families(count);
	vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
	uint32_t best = count;
	for (uint32_t i = 0; i < count; ++i) {
		if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
		if (best == count || !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) best = i;
		if (!(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT)) break;
	}
	if (best == count) {
		device.rejections.push_back("it has no compute queue");
		return 0;
	}
	if (families[best].timestampValidBits == 0) device.limits.timestamp_ns = 0;
	return best;
}

DeviceInfo inspect(VkInstance instance, VkPhysicalDevice physical, uint32_t index) {
	DeviceInfo device;
	device.index = index;
	device.physical = physical;
	const auto extensions = extensionsOf(physical);
	const auto has = [&](std::string_view name) { return extensions.find(name) != extensions.end(); };
	DeviceFeatures& features = device.features;

	VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
	vkGetPhysicalDeviceProperties(physical, &properties.properties);
	const VkPhysicalDeviceProperties& core = properties.properties;
	device.name = core.deviceName;
	device.vendor_id = core.vendorID;
	device.device_id = core.deviceID;
	device.kind = kindOf(core.deviceType);
	device.api_version = core.apiVersion;
	if (core.apiVersion < VK_API_VERSION_1_2) {
		device.rejections.push_back(fmt::format("its driver offers Vulkan {}.{}, 1.2 is needed", VK_API_VERSION_MAJOR(core.apiVersion), VK_API_VERSION_MINOR(core.apiVersion)));
		return device;
	}

	VkPhysicalDeviceIDProperties id{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
	VkPhysicalDeviceDriverProperties driver{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
	VkPhysicalDeviceMaintenance3Properties maintenance{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
	VkPhysicalDeviceSubgroupProperties subgroup{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
	VkPhysicalDeviceFloatControlsProperties float_controls{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES};
	VkPhysicalDeviceSubgroupSizeControlProperties sizes{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
	VkPhysicalDeviceExternalMemoryHostPropertiesEXT host_memory{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
	VkPhysicalDeviceShaderIntegerDotProductProperties dot_properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
	chain(properties, id);
	chain(properties, driver);
	chain(properties, maintenance);
	chain(properties, subgroup);
	chain(properties, float_controls);

	VkPhysicalDeviceFeatures2 query{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
	VkPhysicalDeviceVulkan11Features v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};
	VkPhysicalDeviceVulkan12Features v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
	VkPhysicalDeviceSubgroupSizeControlFeatures size_control{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
	VkPhysicalDeviceShaderIntegerDotProductFeatures dot{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
	chain(query, v11);
	chain(query, v12);
	if (has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) {
		chain(query, size_control);
		chain(properties, sizes);
	}
	if (has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME)) {
		chain(query, dot);
		chain(properties, dot_properties);
	}
	if (has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME)) chain(properties, host_memory);
	vkGetPhysicalDeviceProperties2(physical, &properties);
	vkGetPhysicalDeviceFeatures2(physical, &query);

	std::copy_n(id.deviceUUID, 16, device.uuid.begin());
	device.driver = fmt::format("{} {}", driver.driverName, driver.driverInfo);
	features.storage8 = v12.storageBuffer8BitAccess;
	features.storage16 = v11.storageBuffer16BitAccess;
	features.int8 = v12.shaderInt8;
	features.int16 = query.features.shaderInt16;
	features.scalar_layout = v12.scalarBlockLayout;
	features.float16 = v12.shaderFloat16;
	features.float64 = query.features.shaderFloat64;
	features.int64 = query.features.shaderInt64;
	features.buffer_device_address = v12.bufferDeviceAddress;
	features.timeline_semaphores = v12.timelineSemaphore;
	features.subgroup_size_control = size_control.subgroupSizeControl && size_control.computeFullSubgroups && (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
	features.integer_dot_product = dot.shaderIntegerDotProduct;
	features.integer_dot_accelerated = dot.shaderIntegerDotProduct && dot_properties.integerDotProduct4x8BitPackedSignedAccelerated;
	features.external_host_memory = has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
	features.memory_budget = has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
	features.denorm_preserve32 = float_controls.shaderDenormPreserveFloat32;
	features.round_to_even32 = float_controls.shaderRoundingModeRTEFloat32;
	features.cooperative_matrix = has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);   // the extension has no part without the feature
	if (features.cooperative_matrix) readCooperativeShapes(instance, device);
	device.limits.import_alignment = features.external_host_memory ? host_memory.minImportedHostPointerAlignment : 0;
	device.limits.timestamp_ns = core.limits.timestampPeriod;
	readLimits(core, maintenance, subgroup, sizes, device);

	VkPhysicalDeviceMemoryProperties memory;
	vkGetPhysicalDeviceMemoryProperties(physical, &memory);
	device.memory_types.assign(memory.memoryTypes, memory.memoryTypes + memory.memoryTypeCount);
	device.heaps = currentHeaps(device);
	// Unified: whatever is device-local can be mapped, and there is no other heap that the device would rather use.
	features.unified_memory = !environment().discrete && std::all_of(device.heaps.begin(), device.heaps.end(), [](const HeapInfo& heap) { return !heap.device_local || heap.host_visible; }) &&
	                          device.kind != DeviceKind::Discrete;

	device.compute_family = chooseComputeFamily(physical, device);
	const auto require = [&](bool present, const char* what) {
		if (!present) device.rejections.push_back(fmt::format("it lacks {}", what));
	};
	require(features.storage8, "8-bit storage buffers");
	require(features.storage16, "16-bit storage buffers");
	require(features.int8, "8-bit integers in shaders");
	require(features.int16, "16-bit integers in shaders");
	require(features.scalar_layout, "scalar block layout");
	require(features.subgroup_arithmetic && features.subgroup_shuffle, "subgroup arithmetic and shuffles in compute shaders");
	return device;
}

std::string lower(std::string_view text) {
	std::string copy(text);
	std::transform(copy.begin(), copy.end(), copy.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	return copy;
}

std::string listing(const std::vector<DeviceInfo>& devices) {
	std::string text;
	for (const DeviceInfo& device : devices) {
		text += fmt::format("{}{}: {} ({})", text.empty() ? "" : "; ", device.index, device.name, deviceKindName(device.kind));
		if (!device.usable()) text += fmt::format(", not usable: {}", fmt::join(device.rejections, ", "));
	}
	return text;
}

int rank(DeviceKind kind) {
	switch (kind) {
		case DeviceKind::Discrete: return 0;
		case DeviceKind::Integrated: return 1;
		case DeviceKind::Virtual: return 2;
		case DeviceKind::Other: return 3;
		case DeviceKind::Software: return 4;
	}
	return 5;
}

}  // namespace

std::string_view deviceKindName(DeviceKind kind) {
	switch (kind) {
		case DeviceKind::Discrete: return "discrete GPU";
		case DeviceKind::Integrated: return "integrated GPU";
		case DeviceKind::Virtual: return "virtual GPU";
		case DeviceKind::Software: return "software (CPU)";
		case DeviceKind::Other: return "other";
	}
	return "other";
}

std::string DeviceInfo::uuidText() const {
	std::string text;
	for (size_t i = 0; i < uuid.size(); ++i) {
		if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
		text += fmt::format("{:02x}", uuid[i]);
	}
	return text;
}

std::vector<HeapInfo> currentHeaps(const DeviceInfo& device) {
	VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
	VkPhysicalDeviceMemoryProperties2 memory{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
	if (device.features.memory_budget) memory.pNext = &budget;
	vkGetPhysicalDeviceMemoryProperties2(device.physical, &memory);
	std::vector<HeapInfo> heaps(memory.memoryProperties.memoryHeapCount);
	for (size_t i = 0; i < heaps.size(); ++i) {
		heaps[i].bytes = memory.memoryProperties.memoryHeaps[i].size;
		heaps[i].device_local = memory.memoryProperties.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
		heaps[i].budget = device.features.memory_budget ? budget.heapBudget[i] : heaps[i].bytes;
		heaps[i].used = device.features.memory_budget ? budget.heapUsage[i] : 0;
		if (environment().heap_limit) heaps[i].budget = std::min(heaps[i].budget, *environment().heap_limit);
	}
	for (uint32_t i = 0; i < memory.memoryProperties.memoryTypeCount; ++i) {
		const VkMemoryType& type = memory.memoryProperties.memoryTypes[i];
		if (type.propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) heaps[type.heapIndex].host_visible = true;
	}
	return heaps;
}

Result<std::vector<DeviceInfo>> listDevices(const std::shared_ptr<Instance>& instance) {
	uint32_t count = 0;
	VKQ_VK_TRY(vkEnumeratePhysicalDevices(instance->handle(), &count, nullptr));
	std::vector<VkPhysicalDevice> physical(count);
	if (count) VKQ_VK_TRY(vkEnumeratePhysicalDevices(instance->handle(), &count, physical.data()));
	std::vector<DeviceInfo> devices;
	for (uint32_t i = 0; i < count; ++i) devices.push_back(inspect(instance->handle(), physical[i], i));
	return devices;
}

Result<DeviceInfo> chooseDevice(const std::vector<DeviceInfo>& devices, std::string_view wanted) {
	if (devices.empty())
		return fail(ErrorCode::kNoDevice, "no Vulkan device was found", "install your GPU's driver, or the software device: apt-get install mesa-vulkan-drivers");
	if (wanted.empty()) wanted = environment().device;

	if (!wanted.empty()) {
		std::vector<const DeviceInfo*> matches;
		uint32_t index = 0;
		const auto [end, error] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
		const bool is_index = error == std::errc() && end == wanted.data() + wanted.size();
		for (const DeviceInfo& device : devices)
			if (is_index ? device.index == index : lower(device.uuidText()) == lower(wanted) || lower(device.name).find(lower(wanted)) != std::string::npos)
				matches.push_back(&device);
		if (matches.empty()) return fail(ErrorCode::kNotFound, fmt::format("no Vulkan device is '{}'", wanted), "devices: " + listing(devices));
		for (const DeviceInfo* device : matches)
			if (device->usable()) return *device;
		return fail(ErrorCode::kNoDevice, fmt::format("device '{}' cannot be used: {}", matches[0]->name, fmt::join(matches[0]->rejections, ", ")), "devices: " + listing(devices));
	}

	const DeviceInfo* best = nullptr;
	for (const DeviceInfo& device : devices)
		if (device.usable() && (!best || rank(device.kind) < rank(best->kind))) best = &device;
	if (!best) return fail(ErrorCode::kNoDevice, "no Vulkan device here can be used", "devices: " + listing(devices));
	return *best;
}

}  // namespace vkq::vk
