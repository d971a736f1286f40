// vkinfo --devices
#pragma once

namespace vkq {

/// Lists every Vulkan device with what it has and can, usable or not. Returns the exit code.
int listDevices(bool json);

}  // namespace vkq
