// Timing of a recorded command buffer: the best of several submissions, because other load on the machine only ever adds time.
#pragma once

#include "core/result.h"
#include "vk/commands.h"

#include <cmath>
#include <cstdint>

namespace vkq::bench {

/// Seconds, the least of all submissions; `first` is the first one's, in which the driver compiles.
struct Sample {
	double wall = INFINITY, cpu = INFINITY, first = 0;
};

double wallSeconds();
double cpuSeconds();   // of the process: a software device computes in it

/// Submits once, then `repeat` times.
Result<Sample> sample(vk::CommandBuffer& commands, uint32_t repeat);

}  // namespace vkq::bench
