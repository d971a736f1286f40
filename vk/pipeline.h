// Compute pipelines: a compiled shader with its specialization constants.
//
// Bindings and push-constant size are read from the SPIR-V (vk/spirv.h), so they cannot drift from the shader. All buffers
// are in set 0. Workgroup sizes are specialization constants 0, 1, 2 by convention of shaders/.
#pragma once

#include "shaders/shader_id.h"

#include <vulkan/vulkan.h>

#include <cstdint>
#include <vector>

namespace vkq::vk {

struct PipelineSpec {
	ShaderId shader{};
	std::vector<uint32_t> constants;   // constant_id 0, 1, 2, ... (floats and bools as their bits)
	uint32_t subgroup = 0;             // required subgroup size, 0: the driver's choice. Needs features().subgroup_size_control
	bool operator==(const PipelineSpec&) const = default;
};

/// Owned by the Device.
struct Pipeline {
	VkPipeline handle = VK_NULL_HANDLE;
	VkPipelineLayout layout = VK_NULL_HANDLE;
	VkDescriptorSetLayout set_layout = VK_NULL_HANDLE;   // shared by all pipelines with the same bindings
	VkShaderModule module = VK_NULL_HANDLE;
	std::vector<VkDescriptorType> bindings;   // by binding number; storage or uniform buffer
	uint32_t push_bytes = 0;
};

}  // namespace vkq::vk
