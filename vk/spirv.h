// What a SPIR-V module binds: just enough reflection for pipeline layouts.
#pragma once

#include "core/result.h"

#include <vulkan/vulkan.h>

#include <cstdint>
#include <span>
#include <vector>

namespace vkq::vk {

struct ShaderInterface {
	std::vector<VkDescriptorType> bindings;   // set 0, by binding number; holes are filled with storage buffers
	uint32_t push_bytes = 0;                  // 0: no push constants
};

/// The words come from our own compiler; still every index is checked.
Result<ShaderInterface> reflect(std::span<const uint32_t> words);

}  // namespace vkq::vk
