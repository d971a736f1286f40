// Elementwise kernels: the gated activation of a feed-forward (SwiGLU, GeGLU), and soft-capping.
#pragma once

#include "core/result.h"
#include "kernels/activation_output.h"
#include "vk/commands.h"

#include <cstdint>

namespace vkq {

/// output[row][i] = act(gate[row][i]) * linear[row][i], i < columns. Gate and linear may be halves of fused rows.
struct GatedActivation {
	vk::BufferView gate, linear;           // f32
	ActivationOutput output;               // its floats may lie where gate or linear do, element by element
	uint32_t columns = 0, rows = 0;
	uint32_t gate_stride = 0, linear_stride = 0, linear_offset = 0, output_stride = 0;   // elements
	bool gelu = false;                     // the tanh form; else SiLU
};
Result<void> recordGatedActivation(vk::Device& device, vk::CommandBuffer& commands, const GatedActivation& work);

/// x = cap * tanh(x / cap), in place.
Result<void> recordSoftcap(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView values, uint64_t count, float cap);

}  // namespace vkq
