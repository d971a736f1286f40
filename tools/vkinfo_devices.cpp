#include "tools/vkinfo_devices.h"

#include "core/units.h"
#include "kernels/variant.h"
#include "vk/device.h"
#include "vk/device_info.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <iterator>

namespace vkq {

namespace {

using vk::DeviceInfo;

struct Feature {
	const char* name;
	bool vk::DeviceFeatures::*present;
};

constexpr Feature kFeatures[] = {
	{"8-bit storage", &vk::DeviceFeatures::storage8},
	{"16-bit storage", &vk::DeviceFeatures::storage16},
	{"8-bit integers", &vk::DeviceFeatures::int8},
	{"16-bit integers", &vk::DeviceFeatures::int16},
	{"scalar block layout", &vk::DeviceFeatures::scalar_layout},
	{"float16 arithmetic", &vk::DeviceFeatures::float16},
	{"float64 arithmetic", &vk::DeviceFeatures::float64},
	{"buffer device address", &vk::DeviceFeatures::buffer_device_address},
	{"subgroup size control", &vk::DeviceFeatures::subgroup_size_control},
	{"subgroup arithmetic", &vk::DeviceFeatures::subgroup_arithmetic},
	{"subgroup shuffle", &vk::DeviceFeatures::subgroup_shuffle},
	{"integer dot product", &vk::DeviceFeatures::integer_dot_product},
	{"integer dot product, accelerated", &vk::DeviceFeatures::integer_dot_accelerated},
	{"cooperative matrix", &vk::DeviceFeatures::cooperative_matrix},
	{"host memory import", &vk::DeviceFeatures::external_host_memory},
	{"live memory budget", &vk::DeviceFeatures::memory_budget},
	{"timeline semaphores", &vk::DeviceFeatures::timeline_semaphores},
	{"unified memory", &vk::DeviceFeatures::unified_memory},
	{"keeps subnormals on request", &vk::DeviceFeatures::denorm_preserve32},
};

std::string subgroupText(const vk::DeviceLimits& limits) {
	if (limits.min_subgroup == limits.max_subgroup) return std::to_string(limits.subgroup);
	return fmt::format("{} ({} to {})", limits.subgroup, limits.min_subgroup, limits.max_subgroup);
}

/// The variant that this device's products would use. Some are chosen by measuring, for which the device is opened.
Result<Variant> usedVariant(const DeviceInfo& info) {
	if (!info.usable()) return chooseVariant(info);
	auto device = vk::Device::open(std::to_string(info.index));
	return device ? measureVariant(**device) : chooseVariant(info);
}

void printText(const DeviceInfo& device) {
	fmt::print("{}: {}\n", device.index, device.name);
	fmt::print("   kind       {}\n", vk::deviceKindName(device.kind));
	fmt::print("   uuid       {}\n", device.uuidText());
	fmt::print("   driver     {}\n", device.driver);
	fmt::print("   Vulkan     {}.{}.{}\n", VK_API_VERSION_MAJOR(device.api_version), VK_API_VERSION_MINOR(device.api_version), VK_API_VERSION_PATCH(device.api_version));
	for (size_t i = 0; i < device.heaps.size(); ++i) {
		const vk::HeapInfo& heap = device.heaps[i];
		fmt::print("   heap {}     {} {}{}, budget {}{}\n", i, formatBytes(heap.bytes), heap.device_local ? "device-local" : "host", heap.host_visible ? ", mapped" : "",
		           formatBytes(heap.budget), device.features.memory_budget ? fmt::format(" now, {} used", formatBytes(heap.used)) : std::string(" (no live figure)"));
	}
	fmt::print("   subgroup   {}\n", subgroupText(device.limits));
	fmt::print("   limits     {} a buffer binding, {} an allocation, {} shared memory, {} lanes a workgroup\n", formatBytes(device.limits.storage_range),
	           formatBytes(device.limits.allocation), formatBytes(device.limits.shared_bytes), device.limits.workgroup_invocations);
	std::string has, lacks;
	for (const Feature& feature : kFeatures) {
		std::string& list = device.features.*feature.present ? has : lacks;
		list += (list.empty() ? "" : ", ") + std::string(feature.name);
	}
	fmt::print("   has        {}\n", has.empty() ? "-" : has);
	fmt::print("   lacks      {}\n", lacks.empty() ? "-" : lacks);
	for (const auto& shape : device.cooperative_shapes)
		fmt::print("   matrix     {} x {} x {}, {} in, {} out\n", shape.m, shape.n, shape.k, shape.float16_in ? "float16" : "other", shape.float32_out ? "float32" : shape.float16_out ? "float16" : "other");
	const auto chosen = usedVariant(device);
	for (const Variant& variant : allVariants()) {
		const std::string rejection = variantRejection(variant, device);
		const bool own = chosen && chosen->name == variant.name;
		fmt::print("   kernels    {}{}: {}\n", variant.name, own ? " (used)" : "", rejection.empty() ? std::string(variant.description) : "not here: " + rejection);
	}
	if (!device.usable()) fmt::print("   NOT USABLE {}\n", fmt::join(device.rejections, "; "));
}

nlohmann::ordered_json toJson(const DeviceInfo& device) {
	nlohmann::ordered_json json{
		{"index", device.index},
		{"name", device.name},
		{"kind", vk::deviceKindName(device.kind)},
		{"uuid", device.uuidText()},
		{"driver", device.driver},
		{"vulkan", fmt::format("{}.{}.{}", VK_API_VERSION_MAJOR(device.api_version), VK_API_VERSION_MINOR(device.api_version), VK_API_VERSION_PATCH(device.api_version))},
		{"usable", device.usable()},
		{"rejections", device.rejections},
	};
	for (const vk::HeapInfo& heap : device.heaps)
		json["heaps"].push_back({{"bytes", heap.bytes}, {"budget", heap.budget}, {"used", heap.used}, {"device_local", heap.device_local}, {"host_visible", heap.host_visible}});
	for (const Feature& feature : kFeatures) json["features"][feature.name] = device.features.*feature.present;
	const auto chosen = usedVariant(device);
	json["kernels"] = chosen ? nlohmann::ordered_json(chosen->name) : nlohmann::ordered_json(nullptr);
	for (const Variant& variant : allVariants())
		json["kernel_variants"].push_back({{"name", variant.name}, {"description", variant.description}, {"rejection", variantRejection(variant, device)}});
	const vk::DeviceLimits& limits = device.limits;
	json["limits"] = {{"storage_range", limits.storage_range},
	                  {"allocation", limits.allocation},
	                  {"shared_bytes", limits.shared_bytes},
	                  {"workgroup_invocations", limits.workgroup_invocations},
	                  {"subgroup", limits.subgroup},
	                  {"min_subgroup", limits.min_subgroup},
	                  {"max_subgroup", limits.max_subgroup},
	                  {"storage_alignment", limits.storage_alignment},
	                  {"import_alignment", limits.import_alignment}};
	return json;
}

}  // namespace

int listDevices(bool json) {
	const auto report = [](const Error& error) {
		fmt::print(stderr, "vkinfo: {}\n", error.message);
		if (!error.hint.empty()) fmt::print(stderr, "  {}\n", error.hint);
		return 1;
	};
	auto instance = vk::Instance::create();
	if (!instance) return report(instance.error());
	auto devices = vk::listDevices(*instance);
	if (!devices) return report(devices.error());
	if (devices->empty()) return report(vk::chooseDevice(*devices).error());

	if (json) {
		nlohmann::ordered_json all = nlohmann::ordered_json::array();
		for (const DeviceInfo& device : *devices) all.push_back(toJson(device));
		const auto chosen = vk::chooseDevice(*devices);
		nlohmann::ordered_json document{{"devices", all}};
		document["default"] = chosen ? nlohmann::ordered_json(chosen->index) : nlohmann::ordered_json(nullptr);
		fmt::print("{}\n", document.dump(2));
		return 0;
	}
	for (const DeviceInfo& device : *devices) printText(device);
	if (const auto chosen = vk::chooseDevice(*devices); chosen) fmt::print("default: {} ({})\n", chosen->index, chosen->name);
	return 0;
}

}  // namespace vkq
