// This machine, as vkplan asks it: its devices through vkplan-probe, its free memory from the kernel.
#pragma once

#include "core/result.h"
#include "planner/request.h"

#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

/// `wanted`: index, UUID or part of a name each; empty: all discrete devices, else the best one.
Result<std::vector<DeviceSpec>> machineDevices(const std::vector<std::string>& wanted);

/// Bytes that programs may still take (MemAvailable), or nothing where the kernel does not say.
std::optional<uint64_t> availableHostMemory();

}  // namespace vkq::tools
