#include "tools/vkplan_devices.h"

#include "planner/gpus.h"
#include "tools/vkplan_machine.h"

#include <fmt/format.h>

#include <algorithm>

namespace vkq::tools {

namespace {

// What a card's memory loses to the driver, the pipelines and perhaps a desktop: a sixteenth, at most half a GiB. A live
// budget has lost it already, and the runtime takes all of that.
constexpr uint64_t kReserveShare = 16, kMostReserve = 512 * kMiB;

std::vector<std::string> splitAtCommas(const std::string& list) {
	std::vector<std::string> parts;
	for (size_t at = 0; at <= list.size();) {
		const size_t comma = std::min(list.find(',', at), list.size());
		parts.push_back(list.substr(at, comma - at));
		at = comma + 1;
	}
	return parts;
}

Result<std::vector<uint64_t>> parseMemories(const std::string& vram) {
	std::vector<uint64_t> memories;
	for (const std::string& part : splitAtCommas(vram)) {
		const auto bytes = parseBytes(part, kGiB);
		if (!bytes) return fail(ErrorCode::kUsage, fmt::format("--vram: {}", bytes.error().message), "a bare number is GiB, as cards are sold: --vram 8, --vram 24,12, --vram 7500MiB");
		if (*bytes < kMiB) return fail(ErrorCode::kUsage, fmt::format("--vram: {} is no memory to plan for", formatBytes(*bytes)), "a bare number is GiB: --vram 8");
		if (*bytes > (uint64_t(1) << 50)) return fail(ErrorCode::kUsage, fmt::format("--vram: {} is more than any device has", formatBytes(*bytes)), "a bare number is GiB: --vram 8");
		memories.push_back(*bytes);
	}
	return memories;
}

Result<std::vector<DeviceSpec>> fromFigures(const DeviceArguments& arguments) {
	std::vector<uint64_t> memories;
	if (!arguments.vram.empty()) {
		auto parsed = parseMemories(arguments.vram);
		if (!parsed) return parsed.error();
		memories = std::move(*parsed);
	}
	std::vector<DeviceSpec> devices;
	if (!arguments.gpu.empty()) {
		const std::vector<std::string> names = splitAtCommas(arguments.gpu);
		if (!memories.empty() && memories.size() != names.size()) {
			return fail(ErrorCode::kUsage, fmt::format("--gpu names {} cards and --vram {} sizes", names.size(), memories.size()));
		}
		for (size_t i = 0; i < names.size(); ++i) {
			auto gpu = findGpu(names[i]);
			if (!gpu) return gpu.error();
			auto device = deviceOf(*gpu, memories.empty() ? 0 : memories[i]);
			if (!device) return device.error();
			devices.push_back(std::move(*device));
		}
		return devices;
	}
	for (size_t i = 0; i < memories.size(); ++i) {
		DeviceSpec device;
		device.name = memories.size() == 1 ? "GPU" : fmt::format("GPU {}", i);
		device.memory = device.available = memories[i];
		devices.push_back(std::move(device));
	}
	return devices;
}

}  // namespace

Result<Target> findTarget(const DeviceArguments& arguments) {
	const bool machine = arguments.vram.empty() && arguments.gpu.empty();
	if (!machine && !arguments.device.empty()) {
		return fail(ErrorCode::kUsage, "--device names one of this machine's devices, --vram and --gpu describe others: give one of them");
	}
	Target target;
	auto devices = machine ? machineDevices(arguments.device.empty() ? std::vector<std::string>{} : splitAtCommas(arguments.device)) : fromFigures(arguments);
	if (!devices) return devices.error();
	target.devices = std::move(*devices);
	target.host_available = machine ? availableHostMemory().value_or(UINT64_MAX) : UINT64_MAX;

	if (!arguments.host.empty()) {
		const auto host = parseBytes(arguments.host, kGiB);
		if (!host) return fail(ErrorCode::kUsage, fmt::format("--host: {}", host.error().message), host.error().hint);
		target.host_available = *host;
	}
	if (!arguments.reserve.empty()) {
		const auto reserve = parseBytes(arguments.reserve, kGiB);
		if (!reserve) return fail(ErrorCode::kUsage, fmt::format("--reserve: {}", reserve.error().message), reserve.error().hint);
		target.reserve = *reserve;
		for (const DeviceSpec& device : target.devices) {
			if (device.available > *reserve) continue;
			return fail(ErrorCode::kUsage, fmt::format("--reserve: {} of each device leaves nothing of {}, which has {}", formatBytes(*reserve), device.name, formatBytes(device.available)),
			            "the default, 1/16 of a device and at most 512 MiB, is enough for a driver and a desktop");
		}
	} else if (!machine) {
		uint64_t smallest = UINT64_MAX;
		for (const DeviceSpec& device : target.devices) smallest = std::min(smallest, device.memory);
		target.reserve = std::min(smallest / kReserveShare, kMostReserve);
	}
	return target;
}

}  // namespace vkq::tools
