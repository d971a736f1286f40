// vkplan's target: memory figures, known cards, or this machine's own devices.
#pragma once

#include "core/result.h"
#include "planner/request.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

struct DeviceArguments {
	std::string vram;        // "8", "24,12", "7500MiB"; a bare number is GiB
	std::string gpu;         // "RTX 4060", "RTX 4090,RTX 3060"
	std::string device;      // of this machine: index, name or UUID; several with commas
	std::string reserve;     // size; empty: the default
	std::string host;        // size of host memory that may be used; empty: what is free on this machine, no limit for others
};

struct Target {
	std::vector<DeviceSpec> devices;
	uint64_t reserve = 0;    // bytes a device
	uint64_t host_available = UINT64_MAX;
};

/// Asks the Vulkan driver only when neither vram nor gpu is given.
Result<Target> findTarget(const DeviceArguments& arguments);

}  // namespace vkq::tools
