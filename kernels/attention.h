// softmax(Q K^T) V over a quantized cache, in one pass (shaders/attention.comp).
#pragma once

#include "core/result.h"
#include "kernels/activation_output.h"
#include "kernels/kv_cache.h"
#include "vk/commands.h"

#include <cstdint>
#include <span>

namespace vkq {

struct Attention {
	vk::BufferView step_input;        // shader::StepInput
	vk::BufferView query;             // f32 [tokens][query_stride], scaled
	uint32_t query_stride = 0;        // elements, a multiple of 4
	std::span<const CachePiece> keys; // pieces of the layer's heads, in order; all of the same type
	std::span<const CachePiece> values;
	ActivationOutput output;          // [tokens][heads][head_dim]
	vk::BufferView splits_buffer;     // f32 [splits][tokens][heads][head_dim + 2]; not used with one split
	uint32_t splits = 1;
	uint32_t tokens = 0;
	uint32_t heads = 0;               // query heads
	uint32_t kv_heads = 0;
	uint32_t head_dim = 0;            // a multiple of 4
	uint32_t window = 0;              // tokens seen; 0: all
	float softcap = 0;
	bool whole_vectors = false;       // Variant::stream: where the shapes allow it, K and V are loaded so
};

/// Includes the barriers and dispatches that follow where there are splits, or where blocks of 8 bits reach over heads.
Result<void> recordAttention(vk::Device& device, vk::CommandBuffer& commands, const Attention& attention);

}  // namespace vkq
