// Measures whether whole-vector loads (shaders/include/stream_loads.glsl) are what a software device is quick with. Drivers differ by a factor of
// ten and more in either direction, so a few milliseconds decide, once per process and driver.
#pragma once

#include "vk/device.h"

namespace vkq {

/// False also where the loads gave other words, or anything failed: the plain loads are always right.
bool streamsFaster(vk::Device& device);

}  // namespace vkq
