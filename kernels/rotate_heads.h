// What lies between the projections and attention: bias, per-head norm, RoPE, and for keys and values the append to the cache in
// its type (shaders/rotate_heads.comp).
#pragma once

#include "core/result.h"
#include "kernels/kv_cache.h"
#include "vk/commands.h"

#include <cstdint>

namespace vkq {

enum class HeadRole : uint32_t { Query = 0, Key = 1, Value = 2 };

struct RotateHeads {
	HeadRole role = HeadRole::Query;
	vk::BufferView step_input;        // shader::StepInput
	vk::BufferView values;            // f32 [tokens][stride]; queries are changed in place
	uint32_t stride = 0;              // elements from one token to the next
	uint32_t offset = 0;              // elements: where head 0 lies in a token
	uint32_t head_dim = 0;
	uint32_t heads = 0;               // of queries; keys and values: the cache piece's heads are done
	uint32_t tokens = 0;
	vk::BufferView bias;              // f32 [heads][head_dim], or none
	vk::BufferView norm;              // f32 [head_dim], or none
	float norm_eps = 0;
	vk::BufferView rotation;          // f32 [tokens][rope_dims / 2][2], or none
	uint32_t rotation_offset = 0;     // in pairs of floats
	uint32_t rope_dims = 0;
	bool half_split = false;          // pairs (i, i + rope_dims / 2); else (2i, 2i + 1)
	float scale = 1.0f;               // of the result
	bool hadamard = false;            // after RoPE; head_dim must be a multiple of kHadamard
	CachePiece cache;                 // where keys and values go
};

Result<void> recordRotateHeads(vk::Device& device, vk::CommandBuffer& commands, const RotateHeads& work);

/// Elements that one transform mixes.
extern const uint32_t kHadamard;

/// Orthonormal Hadamard transform of `elements` floats (whole blocks of kHadamard), in place: takes a value cache's rotation back.
Result<void> recordHadamard(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView values, uint64_t elements);

}  // namespace vkq
