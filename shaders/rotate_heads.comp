#version 460
// From projections to what attention reads: queries, keys and values of a layer side by side in one grid. One workgroup a head and token:
//
//   x = projection[token][head] (+ bias);  x = norm(x);  rotated pairs (push.pairs);  Hadamard transform;  x * scale
//
// Queries go back in place. Keys and values go into their caches, position % cells being the cell, rounded as the reference's simple
// encoders do (docs/formats: encoders without search). Rotation is read from a table: [token][pair] (cosine, sine); values are not rotated.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#include "shared/step.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kHeadDim = 32;
layout(constant_id = 4) const uint kKeyType = 0;       // of the caches
layout(constant_id = 5) const uint kValueType = 0;
layout(constant_id = 6) const uint kBias = 0;          // sets of 1 << VKQ_ROLE_...: which have a bias, a norm, a transform
layout(constant_id = 7) const uint kNorm = 0;
layout(constant_id = 8) const uint kHadamard = 0;
layout(push_constant, scalar) uniform Push { RotateHeadsPush push; };
layout(binding = 0, scalar) readonly buffer Input { StepInput step_input; };
layout(binding = 1, scalar) buffer Queries { float queries[]; };
layout(binding = 2, scalar) readonly buffer Keys { float keys[]; };
layout(binding = 3, scalar) readonly buffer Values { float values[]; };
layout(binding = 4, scalar) readonly buffer Rotation { vec2 rotation[]; };
layout(binding = 5, scalar) readonly buffer QueryBias { float query_bias[]; };
layout(binding = 6, scalar) readonly buffer KeyBias { float key_bias[]; };
layout(binding = 7, scalar) readonly buffer ValueBias { float value_bias[]; };
layout(binding = 8, scalar) readonly buffer QueryNorm { float query_norm[]; };
layout(binding = 9, scalar) readonly buffer KeyNorm { float key_norm[]; };
layout(binding = 10, scalar) writeonly buffer KeyCache { uint key_cache[]; };
layout(binding = 11, scalar) writeonly buffer ValueCache { uint value_cache[]; };

#include "include/reduce.glsl"
#include "include/cache_layout.glsl"

const uint kBlocks = (kHeadDim + 31u) / 32u;
shared float x[kHeadDim];
shared vec3 block_scale[kBlocks];   // scale, its inverse for encoding, minimum

// Functions take the cache's type as a parameter: a specialization constant where they are called.

void findScale(uint type, uint block) {
	float least = x[block * 32u], most = least, extreme = least;
	for (uint i = 1; i < 32u; ++i) {
		const float v = x[block * 32u + i];
		least = min(least, v);
		most = max(most, v);
		if (abs(v) > abs(extreme)) extreme = v;
	}
	float scale = 0.0, minimum = 0.0;
	if (type == VKQ_Q8_0) scale = abs(extreme) / 127.0;
	if (type == VKQ_Q4_0) scale = extreme / -8.0;
	if (type == VKQ_Q5_0) scale = extreme / -16.0;
	if (type == VKQ_IQ4_NL) scale = extreme / -127.0;
	if (type == VKQ_Q4_1) { scale = (most - least) / 15.0; minimum = least; }
	if (type == VKQ_Q5_1) { scale = (most - least) / 31.0; minimum = least; }
	block_scale[block] = vec3(scale, scale != 0.0 ? 1.0 / scale : 0.0, minimum);
}

uint nearestInTable(float v) {
	uint code = 0u;
	for (uint i = 1; i < 16u; ++i) if (v - kIq4Table[i - 1u] >= kIq4Table[i] - v) code = i;
	return code;
}

uint encode(uint type, uint i) {
	const vec3 scale = block_scale[i / 32u];
	if (type == VKQ_Q8_0) {
		const float v = x[i] * scale.y;
		const float whole = trunc(v);
		return uint(int(whole) + (abs(v - whole) >= 0.5 ? int(sign(v)) : 0)) & 255u;   // halves away from zero
	}
	if (type == VKQ_Q4_0) return uint(min(15, int(x[i] * scale.y + 8.5)));
	if (type == VKQ_Q5_0) return uint(min(31, int(x[i] * scale.y + 16.5)));
	if (type == VKQ_Q4_1) return uint(min(15, int((x[i] - scale.z) * scale.y + 0.5)));
	if (type == VKQ_Q5_1) return uint(min(31, int((x[i] - scale.z) * scale.y + 0.5)));
	return nearestInTable(x[i] * scale.y);
}

/// Least squares for the codes that the first scale gave, elements weighing their square.
float refinedTableScale(uint type, uint block) {
	float xq = 0.0, qq = 0.0;
	for (uint i = block * 32u; i < block * 32u + 32u; ++i) {
		const float q = kIq4Table[encode(type, i)], w = x[i] * x[i];
		xq += w * q * x[i];
		qq += w * q * q;
	}
	return qq > 0.0 ? xq / qq : 0.0;
}

void store(uint role, uint at, uint word) {
	if (role == VKQ_ROLE_KEY) key_cache[at] = word;
	else value_cache[at] = word;
}

/// x -> row `row` of the role's cache, whose planes 1 and 2 start at the given words.
void append(uint role, uint type, uint interleave, uint high_plane, uint scale_plane, uint row) {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x;
	const uint per_word = cacheCodeElements(type), row_words = kHeadDim / per_word;
	if (type == VKQ_F32 || type == VKQ_F16) {
		for (uint w = lane; w < row_words; w += lanes)
			store(role, cacheWord(row, w, row_words, interleave), type == VKQ_F32 ? floatBitsToUint(x[w]) : packHalf2x16(vec2(x[2u * w], x[2u * w + 1u])));
		return;
	}
	for (uint block = lane; block < kBlocks; block += lanes) findScale(type, block);
	barrier();
	for (uint w = lane; w < row_words; w += lanes) {
		uint word = 0u;
		for (uint i = 0; i < per_word; ++i) word |= (encode(type, w * per_word + i) & (type == VKQ_Q8_0 ? 255u : 15u)) << (i * (32u / per_word));
		store(role, cacheWord(row, w, row_words, interleave), word);
	}
	if (cacheHasFifthBit(type)) {
		for (uint block = lane; block < kBlocks; block += lanes) {
			uint word = 0u;
			for (uint i = 0; i < 32u; ++i) word |= (encode(type, block * 32u + i) >> 4) << i;
			store(role, high_plane + cacheWord(row, block, kBlocks, interleave), word);
		}
	}
	const uint scale_words = (kHeadDim + cacheScaleElements(type) - 1u) / cacheScaleElements(type);
	for (uint w = lane; w < scale_words; w += lanes) {
		vec2 halves;
		if (cacheHasMinimum(type)) {
			halves = block_scale[w].xz;
		} else {
			const uint second = min(2u * w + 1u, kBlocks - 1u);
			halves = type == VKQ_IQ4_NL ? vec2(refinedTableScale(type, 2u * w), refinedTableScale(type, second)) : vec2(block_scale[2u * w].x, block_scale[second].x);
		}
		store(role, scale_plane + cacheWord(row, w, scale_words, interleave), packHalf2x16(halves));
	}
}

/// Walsh-Hadamard transform of every VKQ_HADAMARD elements, orthonormal: it is its own inverse.
void mixHadamard() {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x;
	for (uint span = 1u; span < VKQ_HADAMARD; span *= 2u) {
		for (uint i = lane; i < kHeadDim / 2u; i += lanes) {
			const uint a = i / span * span * 2u + i % span, b = a + span;
			const float sum = x[a] + x[b], difference = x[a] - x[b];
			x[a] = sum;
			x[b] = difference;
		}
		barrier();
	}
}

bool has(uint roles, uint role) { return ((roles >> role) & 1u) != 0u; }

void main() {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x, token = gl_WorkGroupID.y;
	uint role = VKQ_ROLE_QUERY, index = gl_WorkGroupID.x;   // of the head among those of the dispatch
	if (index >= push.query_heads) {
		role = VKQ_ROLE_KEY;
		index -= push.query_heads;
		if (index >= push.key_heads) {
			role = VKQ_ROLE_VALUE;
			index -= push.key_heads;
		}
	}
	const uint head = index + (role == VKQ_ROLE_QUERY ? 0u : role == VKQ_ROLE_KEY ? push.key_first_head : push.value_first_head);
	uint from = head * kHeadDim;
	if (role == VKQ_ROLE_QUERY) {
		from += token * push.query_stride + push.query_offset;
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] = queries[from + i];
		if (has(kBias, VKQ_ROLE_QUERY)) for (uint i = lane; i < kHeadDim; i += lanes) x[i] += query_bias[head * kHeadDim + i];
	} else if (role == VKQ_ROLE_KEY) {
		from += token * push.key_stride + push.key_offset;
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] = keys[from + i];
		if (has(kBias, VKQ_ROLE_KEY)) for (uint i = lane; i < kHeadDim; i += lanes) x[i] += key_bias[head * kHeadDim + i];
	} else {
		from += token * push.value_stride + push.value_offset;
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] = values[from + i];
		if (has(kBias, VKQ_ROLE_VALUE)) for (uint i = lane; i < kHeadDim; i += lanes) x[i] += value_bias[head * kHeadDim + i];
	}
	if (kNorm != 0u && has(kNorm, role)) {
		float squares = 0.0;
		for (uint i = lane; i < kHeadDim; i += lanes) squares += x[i] * x[i];
		const float scale = 1.0 / sqrt(workgroupSum(squares) / float(kHeadDim) + push.eps);
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] *= scale * (role == VKQ_ROLE_QUERY ? query_norm[i] : key_norm[i]);
	}
	barrier();
	if (role != VKQ_ROLE_VALUE) {
		for (uint i = lane; i < push.pairs; i += lanes) {
			const uint a = push.half_split != 0u ? i : 2u * i, b = push.half_split != 0u ? i + push.pairs : a + 1u;
			const vec2 turn = rotation[push.rotation_offset + token * push.pairs + i];
			const float was_a = x[a], was_b = x[b];
			x[a] = was_a * turn.x - was_b * turn.y;
			x[b] = was_a * turn.y + was_b * turn.x;
		}
	}
	barrier();
	const bool transformed = kHadamard != 0u && has(kHadamard, role);
	if (transformed) mixHadamard();

	const float own_scale = role == VKQ_ROLE_QUERY ? push.query_scale : 1.0;
	const float scale = transformed ? own_scale * inversesqrt(float(VKQ_HADAMARD)) : own_scale;
	if (role == VKQ_ROLE_QUERY) {
		for (uint i = lane; i < kHeadDim; i += lanes) queries[from + i] = x[i] * scale;
		return;
	}
	if (transformed) {
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] *= scale;
		barrier();
	}
	const uint row = index * push.cells + (step_input.first_position + token) % push.cells;
	if (role == VKQ_ROLE_KEY) append(VKQ_ROLE_KEY, kKeyType, VKQ_KEY_INTERLEAVE, push.key_high_word, push.key_scale_word, row);
	else append(VKQ_ROLE_VALUE, kValueType, 1u, push.value_high_word, push.value_scale_word, row);
}
