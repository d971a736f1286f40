#version 460
// From projections to what attention reads. One workgroup a head and token:
//
//   x = values[token][head] (+ bias);  x = norm(x) (kNorm);  rotated pairs (push.pairs);  Hadamard transform (kHadamard);  x * scale
//
// kRole query: back in place. Key and value: into the cache in kType, position % cells being the cell, rounded as the reference's simple
// encoders do (docs/formats: encoders without search). Rotation is read from a table: [token][pair] (cosine, sine).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#include "shared/step.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kHeadDim = 32;
layout(constant_id = 4) const uint kRole = VKQ_ROLE_QUERY;
layout(constant_id = 5) const uint kType = 0;          // of the cache
layout(constant_id = 6) const uint kInterleave = 1;    // of the cache
layout(constant_id = 7) const bool kBias = false;
layout(constant_id = 8) const bool kNorm = false;
layout(constant_id = 9) const bool kHadamard = false;
layout(push_constant, scalar) uniform Push { RotateHeadsPush push; };
layout(binding = 0, scalar) readonly buffer Input { StepInput step_input; };
layout(binding = 1, scalar) buffer Values { float values[]; };
layout(binding = 2, scalar) readonly buffer Rotation { vec2 rotation[]; };
layout(binding = 3, scalar) readonly buffer Bias { float bias[]; };
layout(binding = 4, scalar) readonly buffer Norm { float norm[]; };
layout(binding = 5, scalar) writeonly buffer Cache { uint cache[]; };

#include "include/reduce.glsl"
#include "include/cache_layout.glsl"

const uint kBlocks = (kHeadDim + 31u) / 32u;
shared float x[kHeadDim];
shared vec3 block_scale[kBlocks];   // scale, its inverse for encoding, minimum

void findScale(uint block) {
	float least = x[block * 32u], most = least, extreme = least;
	for (uint i = 1; i < 32u; ++i) {
		const float v = x[block * 32u + i];
		least = min(least, v);
		most = max(most, v);
		if (abs(v) > abs(extreme)) extreme = v;
	}
	float scale = 0.0, minimum = 0.0;
	if (kType == VKQ_Q8_0) scale = abs(extreme) / 127.0;
	if (kType == VKQ_Q4_0) scale = extreme / -8.0;
	if (kType == VKQ_Q5_0) scale = extreme / -16.0;
	if (kType == VKQ_IQ4_NL) scale = extreme / -127.0;
	if (kType == VKQ_Q4_1) { scale = (most - least) / 15.0; minimum = least; }
	if (kType == VKQ_Q5_1) { scale = (most - least) / 31.0; minimum = least; }
	block_scale[block] = vec3(scale, scale != 0.0 ? 1.0 / scale : 0.0, minimum);
}

uint nearestInTable(float v) {
	uint code = 0u;
	for (uint i = 1; i < 16u; ++i) if (v - kIq4Table[i - 1u] >= kIq4Table[i] - v) code = i;
	return code;
}

uint encode(uint i) {
	const vec3 scale = block_scale[i / 32u];
	if (kType == VKQ_Q8_0) {
		const float v = x[i] * scale.y;
		const float whole = trunc(v);
		return uint(int(whole) + (abs(v - whole) >= 0.5 ? int(sign(v)) : 0)) & 255u;   // halves away from zero
	}
	if (kType == VKQ_Q4_0) return uint(min(15, int(x[i] * scale.y + 8.5)));
	if (kType == VKQ_Q5_0) return uint(min(31, int(x[i] * scale.y + 16.5)));
	if (kType == VKQ_Q4_1) return uint(min(15, int((x[i] - scale.z) * scale.y + 0.5)));
	if (kType == VKQ_Q5_1) return uint(min(31, int((x[i] - scale.z) * scale.y + 0.5)));
	return nearestInTable(x[i] * scale.y);
}

/// Least squares for the codes that the first scale gave, elements weighing their square.
float refinedTableScale(uint block) {
	float xq = 0.0, qq = 0.0;
	for (uint i = block * 32u; i < block * 32u + 32u; ++i) {
		const float q = kIq4Table[encode(i)], w = x[i] * x[i];
		xq += w * q * x[i];
		qq += w * q * q;
	}
	return qq > 0.0 ? xq / qq : 0.0;
}

void append(uint row) {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x;
	const uint per_word = cacheCodeElements(kType), row_words = kHeadDim / per_word;
	if (kType == VKQ_F32 || kType == VKQ_F16) {
		for (uint w = lane; w < row_words; w += lanes) {
			cache[cacheWord(row, w, row_words, kInterleave)] = kType == VKQ_F32 ? floatBitsToUint(x[w]) : packHalf2x16(vec2(x[2u * w], x[2u * w + 1u]));
		}
		return;
	}
	for (uint block = lane; block < kBlocks; block += lanes) findScale(block);
	barrier();
	for (uint w = lane; w < row_words; w += lanes) {
		uint word = 0u;
		for (uint i = 0; i < per_word; ++i) word |= (encode(w * per_word + i) & (kType == VKQ_Q8_0 ? 255u : 15u)) << (i * (32u / per_word));
		cache[cacheWord(row, w, row_words, kInterleave)] = word;
	}
	if (cacheHasFifthBit(kType)) {
		for (uint block = lane; block < kBlocks; block += lanes) {
			uint word = 0u;
			for (uint i = 0; i < 32u; ++i) word |= (encode(block * 32u + i) >> 4) << i;
			cache[push.high_word + cacheWord(row, block, kBlocks, kInterleave)] = word;
		}
	}
	const uint scale_words = (kHeadDim + cacheScaleElements(kType) - 1u) / cacheScaleElements(kType);
	for (uint w = lane; w < scale_words; w += lanes) {
		vec2 halves;
		if (cacheHasMinimum(kType)) {
			halves = block_scale[w].xz;
		} else {
			const uint second = min(2u * w + 1u, kBlocks - 1u);
			halves = kType == VKQ_IQ4_NL ? vec2(refinedTableScale(2u * w), refinedTableScale(second)) : vec2(block_scale[2u * w].x, block_scale[second].x);
		}
		cache[push.scale_word + cacheWord(row, w, scale_words, kInterleave)] = packHalf2x16(halves);
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

void main() {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x;
	const uint head = gl_WorkGroupID.x + push.first_head, token = gl_WorkGroupID.y;
	const uint from = token * push.stride + push.offset + head * kHeadDim;
	float squares = 0.0;
	for (uint i = lane; i < kHeadDim; i += lanes) {
		float v = values[from + i];
		if (kBias) v += bias[head * kHeadDim + i];
		squares += v * v;
		x[i] = v;
	}
	if (kNorm) {
		const float scale = 1.0 / sqrt(workgroupSum(squares) / float(kHeadDim) + push.eps);
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] *= scale * norm[i];
	}
	barrier();
	for (uint i = lane; i < push.pairs; i += lanes) {
		const uint a = push.half_split != 0u ? i : 2u * i, b = push.half_split != 0u ? i + push.pairs : a + 1u;
		const vec2 turn = rotation[push.rotation_offset + token * push.pairs + i];
		const float was_a = x[a], was_b = x[b];
		x[a] = was_a * turn.x - was_b * turn.y;
		x[b] = was_a * turn.y + was_b * turn.x;
	}
	barrier();
	if (kHadamard) mixHadamard();

	const float scale = kHadamard ? push.scale * inversesqrt(float(VKQ_HADAMARD)) : push.scale;
	if (kRole == VKQ_ROLE_QUERY) {
		for (uint i = lane; i < kHeadDim; i += lanes) values[from + i] = x[i] * scale;
		return;
	}
	if (kHadamard) {
		for (uint i = lane; i < kHeadDim; i += lanes) x[i] *= scale;
		barrier();
	}
	append(gl_WorkGroupID.x * push.cells + (step_input.first_position + token) % push.cells);
}
