// How large workgroups are: software devices want one subgroup (a barrier there is a switch of coroutines, more lanes are a loop),
// others enough subgroups to hide memory.
#pragma once

#include "vk/device.h"

#include <algorithm>
#include <cstdint>

namespace vkq {

/// At most `wanted` lanes, at least a subgroup.
inline uint32_t workgroupLanes(const vk::Device& device, uint32_t wanted) {
	const auto& limits = device.limits();
	const uint32_t subgroup = std::max(limits.subgroup, 1u);
	if (device.info().software()) return subgroup;
	return std::max(subgroup, std::min({wanted, limits.workgroup_invocations, limits.workgroup_size[0]}));
}

}  // namespace vkq
