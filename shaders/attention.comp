#version 460
// Attention in one pass: softmax(q K^T) V with a running maximum and sum, no n x n matrix.
//
// A workgroup has kRows rows of queries that read the same key/value head (tokens x the head's group of query heads) and, of the
// positions these may see, the part of its split. Per tile of kTile positions:
//   scores   a lane owns positions: K lies interleaved, neighbouring lanes load neighbouring words; q comes from shared memory
//   values   a lane owns four dimensions (and, where dimensions are few, a share of the positions); p comes from shared memory
// A position that was overwritten in a sliding layer's ring lies outside every window that is asked for, by the ring's size.
// Queries come scaled. The output is floats or 8 bits or both, as kOutputs says. splits > 1: the output is, per split, token and head, head_dim sums, then maximum and sum: attention_merge.comp
// joins them.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#include "shared/product.h"
#include "shared/step.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kHeadDim = 32;    // a multiple of 4
layout(constant_id = 4) const uint kRows = 1;
layout(constant_id = 5) const uint kGroup = 1;       // query heads that share a key/value head
layout(constant_id = 6) const uint kTile = 32;       // positions; a multiple of the workgroup's size
layout(constant_id = 7) const uint kKeyType = 1;
layout(constant_id = 8) const uint kValueType = 1;
layout(constant_id = 9) const uint kOutputs = VKQ_OUTPUT_FLOATS;
layout(push_constant, scalar) uniform Push { AttentionPush push; };
layout(binding = 0, scalar) readonly buffer Input { StepInput step_input; };
layout(binding = 1, scalar) readonly buffer Query { vec4 query[]; };
layout(binding = 2, scalar) readonly buffer Keys { uint keys[]; };
layout(binding = 3, scalar) readonly buffer Values { uint values[]; };
layout(binding = 4, scalar) writeonly buffer Output { float mixed[]; };
layout(binding = 5, scalar) writeonly buffer Quantized { uint quantized[]; };

#include "include/reduce.glsl"
#include "include/activation_output.glsl"
#include "include/cache_layout.glsl"

#define CACHE_LOAD loadKey
#define CACHE_WORDS keys
#define CACHE_TYPE kKeyType
#define CACHE_INTERLEAVE VKQ_KEY_INTERLEAVE
#define CACHE_HIGH push.key_high_word
#define CACHE_SCALE push.key_scale_word
#include "include/cache_read.glsl"

#define CACHE_LOAD loadValue
#define CACHE_WORDS values
#define CACHE_TYPE kValueType
#define CACHE_INTERLEAVE 1u
#define CACHE_HIGH push.value_high_word
#define CACHE_SCALE push.value_scale_word
#include "include/cache_read.glsl"

const uint kLanes = gl_WorkGroupSize.x;
const uint kQuads = kHeadDim / 4u;
const uint kShares = kLanes > kQuads ? kLanes / kQuads : 1u;      // of a tile's positions, in the second phase
const uint kQuadsPerLane = (kQuads + kLanes - 1u) / kLanes;
const float kLowest = -1e30;

shared vec4 q[kRows * kQuads];
shared float scores[kTile * kRows];
shared vec4 partial[kShares > 1u ? kLanes * kRows : 1u];

void main() {
	const uint lane = gl_LocalInvocationID.x;
	const uint kv_head = gl_WorkGroupID.y, split = gl_WorkGroupID.z, first_row = gl_WorkGroupID.x * kRows;
	const uint rows = step_input.tokens * kGroup;
	if (first_row >= rows) return;
	const uint last_token = (min(first_row + kRows, rows) - 1u) / kGroup;

	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		const uint row = min(first_row + r, rows - 1u);
		const uint at = row / kGroup * push.query_stride + ((push.first_head + kv_head) * kGroup + row % kGroup) * kHeadDim;
		for (uint i = lane; i < kQuads; i += kLanes) q[r * kQuads + i] = query[at / 4u + i];
	}
	barrier();

	// Positions [begin, end) are seen by some row; this split's are [first, last).
	const uint first_position = step_input.first_position + first_row / kGroup;
	const uint end = step_input.first_position + last_token + 1u;
	uint begin = push.window != 0u && first_position + 1u > push.window ? first_position + 1u - push.window : 0u;
	begin -= begin % kTile;
	const uint share = ((end - begin + push.splits - 1u) / push.splits + kTile - 1u) / kTile * kTile;
	const uint first = begin + split * share, last = min(end, first + share);

	float maximum[kRows], sum[kRows];
	vec4 mixture[kRows * kQuadsPerLane];
	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		maximum[r] = kLowest;
		sum[r] = 0.0;
		[[unroll]] for (uint j = 0; j < kQuadsPerLane; ++j) mixture[r * kQuadsPerLane + j] = vec4(0.0);
	}

	for (uint base = first; base < last; base += kTile) {
		float tile_maximum[kRows];
		[[unroll]] for (uint r = 0; r < kRows; ++r) tile_maximum[r] = kLowest;
		for (uint t = lane; t < kTile; t += kLanes) {
			const uint position = base + t;
			const uint row = push.key_first_row + kv_head * push.cells + (position < push.cells ? position : position % push.cells);
			float score[kRows];
			[[unroll]] for (uint r = 0; r < kRows; ++r) score[r] = 0.0;
			for (uint i = 0; i < kQuads; ++i) {
				const vec4 k = loadKey(row, i);
				[[unroll]] for (uint r = 0; r < kRows; ++r) score[r] += dot(q[r * kQuads + i], k);
			}
			[[unroll]] for (uint r = 0; r < kRows; ++r) {
				const uint own = step_input.first_position + (first_row + r) / kGroup;
				const bool seen = position <= own && (push.window == 0u || position + push.window > own);
				float s = score[r];
				if (push.softcap != 0.0) s = push.softcap * tanh(clamp(s / push.softcap, -20.0, 20.0));
				s = seen ? s : 2.0 * kLowest;
				scores[t * kRows + r] = s;
				tile_maximum[r] = max(tile_maximum[r], s);
			}
		}
		[[unroll]] for (uint r = 0; r < kRows; ++r) {
			const float now = max(maximum[r], workgroupMax(tile_maximum[r]));
			const float shrink = exp(maximum[r] - now);
			maximum[r] = now;
			sum[r] *= shrink;
			[[unroll]] for (uint j = 0; j < kQuadsPerLane; ++j) mixture[r * kQuadsPerLane + j] *= shrink;
		}
		for (uint t = lane; t < kTile; t += kLanes) {
			[[unroll]] for (uint r = 0; r < kRows; ++r) {
				const float s = scores[t * kRows + r];
				const float p = s > kLowest ? exp(s - maximum[r]) : 0.0;
				scores[t * kRows + r] = p;
				sum[r] += p;
			}
		}
		barrier();
		const uint count = min(kTile, last - base);
		[[unroll]] for (uint j = 0; j < kQuadsPerLane; ++j) {
			const uint quad = kShares > 1u ? lane % kQuads : lane + j * kLanes;
			const uint start = kShares > 1u ? lane / kQuads : 0u;
			if (quad >= kQuads || start >= kShares) continue;
			for (uint t = start; t < count; t += kShares) {
				const uint position = base + t;
				const vec4 v = loadValue(push.value_first_row + kv_head * push.cells + (position < push.cells ? position : position % push.cells), quad);
				[[unroll]] for (uint r = 0; r < kRows; ++r) mixture[r * kQuadsPerLane + j] += scores[t * kRows + r] * v;
			}
		}
		barrier();
	}

	[[unroll]] for (uint r = 0; r < kRows; ++r) sum[r] = workgroupSum(sum[r]);
	if (kShares > 1u) {
		[[unroll]] for (uint r = 0; r < kRows; ++r) partial[r * kLanes + lane] = mixture[r * kQuadsPerLane];
		barrier();
		if (lane < kQuads) {
			[[unroll]] for (uint r = 0; r < kRows; ++r)
				for (uint s = 1; s < kShares; ++s) mixture[r * kQuadsPerLane] += partial[r * kLanes + s * kQuads + lane];
		}
	}
	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		const uint row = first_row + r;
		if (row >= rows) continue;
		const uint token = row / kGroup, head = (push.first_head + kv_head) * kGroup + row % kGroup;
		const bool whole = push.splits == 1u;
		const uint at = whole ? token * push.output_stride + head * kHeadDim : ((split * step_input.tokens + token) * push.heads + head) * (kHeadDim + 2u);
		const float scale = whole ? 1.0 / sum[r] : 1.0;
		[[unroll]] for (uint j = 0; j < kQuadsPerLane; ++j) {
			const uint quad = lane + j * kLanes;
			if (quad >= kQuads) continue;
			const vec4 out_quad = mixture[r * kQuadsPerLane + j] * scale;
			if (kFloatOutput) [[unroll]] for (uint i = 0; i < 4u; ++i) mixed[at + quad * 4u + i] = out_quad[i];
			if (kQuantizedOutput) q[r * kQuads + quad] = out_quad;   // queries are no longer needed
		}
		if (!whole && lane == 0u) {
			mixed[at + kHeadDim] = maximum[r];
			mixed[at + kHeadDim + 1u] = sum[r];
		}
	}
	if (!kQuantizedOutput) return;
	barrier();
	const uint blocks = kHeadDim / 32u;   // of a head
	for (uint b = lane; b < kRows * blocks; b += kLanes) {
		const uint row = first_row + b / blocks;
		if (row >= rows) continue;
		float v[32];
		[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = q[b * 8u + i / 4u][i % 4u];
		quantizeBlock(v, row / kGroup, ((push.first_head + kv_head) * kGroup + row % kGroup) * blocks + b % blocks, push.heads * blocks);
	}
}
