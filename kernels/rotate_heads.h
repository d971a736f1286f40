// What lies between the projections and attention: bias, per-head norm, RoPE, and for keys and values the append to the cache in
// its type (shaders/rotate_heads.comp). Queries, keys and values of a layer share a dispatch.
#pragma once

#include "core/result.h"
#include "kernels/activation_output.h"
#include "kernels/kv_cache.h"
#include "vk/commands.h"

#include <cstdint>
#include <span>

namespace vkq {

/// The heads of a layer's queries, keys or values as a projection put them out.
struct ProjectedHeads {
	vk::BufferView projection;        // f32 [tokens][stride]; null: there are none
	uint32_t stride = 0;              // elements from one token to the next
	uint32_t offset = 0;              // elements: where head 0 lies in a token
	vk::BufferView bias;              // f32 [heads][head_dim], or none
	vk::BufferView norm;              // f32 [head_dim], or none; values have none
	bool hadamard = false;            // after RoPE; head_dim must be a multiple of kHadamard
};

struct RotateHeads {
	vk::BufferView step_input;        // shader::StepInput
	ProjectedHeads query;             // changed in place
	ProjectedHeads key, value;
	std::span<const CachePiece> keys, values;   // where they go: all heads in order; all of one type, all with as many cells
	uint32_t query_heads = 0;
	uint32_t head_dim = 0;
	uint32_t tokens = 0;
	float norm_eps = 0;
	vk::BufferView rotation;          // of queries and keys: f32 [tokens][rope_dims / 2][2], or none
	uint32_t rotation_offset = 0;     // in pairs of floats
	uint32_t rope_dims = 0;
	bool half_split = false;          // pairs (i, i + rope_dims / 2); else (2i, 2i + 1)
	float query_scale = 1.0f;         // of the result
};

/// One dispatch; where a cache is in several pieces, one for each.
Result<void> recordRotateHeads(vk::Device& device, vk::CommandBuffer& commands, const RotateHeads& work);

/// Elements that one transform mixes.
extern const uint32_t kHadamard;

/// Orthonormal Hadamard transform of values.floats [rows][columns], columns being whole blocks of kHadamard, in place: takes a value cache's rotation back.
Result<void> recordHadamard(vk::Device& device, vk::CommandBuffer& commands, const ActivationOutput& values, uint32_t columns, uint32_t rows);

}  // namespace vkq
