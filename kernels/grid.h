// Workgroups of kernels whose invocations are numbered in one line, however many.
#pragma once

#include "vk/commands.h"
#include "vk/device.h"

#include <algorithm>
#include <cstdint>

namespace vkq {

/// Invocations a workgroup: whole subgroups.
inline uint32_t workgroupSize(const vk::Device& device) { return std::max(64u, device.limits().subgroup); }

/// Enough workgroups for so many invocations, in two dimensions where one is too short: the shader numbers them
/// y * gl_NumWorkGroups.x + x, and the last may have too many.
inline vk::Groups grid(const vk::Device& device, uint64_t invocations) {
	const auto groups = uint32_t((invocations + workgroupSize(device) - 1) / workgroupSize(device));
	const uint32_t x = std::min({groups, device.limits().workgroup_count[0], 32768u});
	return {x, x ? (groups + x - 1) / x : 0};
}

}  // namespace vkq
