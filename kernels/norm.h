// Root mean square normalization of the residual stream, with the residual addition that belongs to it (shaders/norm.comp).
#pragma once

#include "core/result.h"
#include "kernels/activation_output.h"
#include "vk/commands.h"

#include <cstdint>

namespace vkq {

/// Null views are parts that are not wanted; at least one of (block_out, after) and (before, out) is.
struct Norm {
	vk::BufferView residual;    // f32 [rows][columns]
	vk::BufferView block_out;   // f32 [rows][columns]: normalized by `after` and added to residual
	vk::BufferView after;       // f32 [columns]
	vk::BufferView before;      // f32 [columns]
	ActivationOutput out;       // [rows][columns]: residual normalized by `before`; its floats may lie where block_out does
	uint32_t columns = 0;
	uint32_t first_row = 0;     // of residual and block_out; `out` begins at its own row 0
	uint32_t rows = 0;
	float eps = 0;
};

Result<void> recordNorm(vk::Device& device, vk::CommandBuffer& commands, const Norm& norm);

}  // namespace vkq
