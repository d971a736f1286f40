// Expected generation speed from memory bandwidth: one token reads every weight that it uses, and the cache, once.
//
//   seconds = bytes on device / (kBandwidthShare * bandwidth) + bytes on host / host bandwidth + layers * kLayerSeconds
//
// The two constants fit three published runs of llama.cpp's Vulkan backend within 6 %: Llama 3.1 8B Q4_K_M on an RX 9070 XT
// (640 GB/s, 119.6 tokens/s) and an RTX 4070 (504 GB/s, 87.0), TinyLlama 1.1B Q4_K_M on an RTX 4090 (1008 GB/s, 762).
#pragma once

#include "planner/plan.h"

#include <optional>

namespace vkq {

constexpr double kBandwidthShare = 0.92;   // of the peak, by streaming kernels
constexpr double kLayerSeconds = 26e-6;    // dispatches, barriers and tails of one layer

struct Speed {
	uint64_t weight_bytes = 0;             // read for one token, wherever they lie
	uint64_t offloaded_bytes = 0;          // of these, over the bus
	double empty_context = 0;              // tokens/s with nothing in the cache
	double full_context = 0;               // tokens/s at the planned context
};

/// Bytes of the placement that one token reads: all of it, or the chosen experts' share.
double bytesOfAToken(const Request& request, const Placement& placement);

/// Seconds in which the weights that lie in host memory cross the bus for one token; 0 where there are none.
double hostSeconds(const Request& request, const Plan& plan);

/// Nothing when a device that has work has no known bandwidth, or the plan does not fit.
std::optional<Speed> expectedSpeed(const Request& request, const Plan& plan);

}  // namespace vkq
