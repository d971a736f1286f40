// Devices on their way from vkplan-probe, which asks the driver, to vkplan, which never loads one.
#pragma once

#include "core/result.h"
#include "planner/request.h"

#include <string>
#include <vector>

namespace vkq::tools {

std::string devicesToJson(const std::vector<DeviceSpec>& devices);
Result<std::vector<DeviceSpec>> devicesFromJson(const std::string& text);

}  // namespace vkq::tools
