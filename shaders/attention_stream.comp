#version 460
// attention.comp for software devices that load whole vectors (include/stream_loads.glsl): the same softmax(q K^T) V with a running maximum and sum.
//
// A workgroup is one subgroup of eight lanes; shared memory only has what becomes 8 bits. Per tile of VKQ_KEY_INTERLEAVE positions:
//   scores   a lane has every eighth position: eight neighbouring positions' words of K are one vector; q is the same for all lanes
//   values   a lane has some dimensions: eight neighbouring words of a row of V are one vector; p of the position is the same for all lanes
// Rows, positions and splits are those of attention.comp.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#include "shared/product.h"
#include "shared/step.h"
#include "shared/transformer.h"

layout(local_size_x = 8) in;
layout(constant_id = 3) const uint kHeadDim = 64;    // rows of V are whole vectors
layout(constant_id = 4) const uint kRows = 1;
layout(constant_id = 5) const uint kGroup = 1;       // query heads that share a key/value head
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

#include "include/activation_output.glsl"
#include "include/cache_layout.glsl"
#include "include/stream_loads.glsl"

layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer QueryQuads { vec4 quads[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly buffer SingleWords { uint words[]; };
#define QUERY QueryQuads(uvec2(push.query_address[0], push.query_address[1])).quads
#define KEY_VECTORS StreamWords(uvec2(push.key_address[0], push.key_address[1])).eights
#define VALUE_VECTORS StreamWords(uvec2(push.value_address[0], push.value_address[1])).eights
#define VALUE_WORDS SingleWords(uvec2(push.value_address[0], push.value_address[1])).words

const uint kTile = VKQ_KEY_INTERLEAVE;
const uint kEights = kTile / 8u;                     // positions of a lane, a tile
const uint kOctets = kHeadDim / 8u;
// As cacheCodeElements() and cacheScaleElements(): sizes of arrays are constant expressions.
#define CODE_ELEMENTS(type) ((type) == VKQ_F32 ? 1u : (type) == VKQ_F16 ? 2u : (type) == VKQ_Q8_0 ? 4u : 8u)
#define SCALE_ELEMENTS(type) ((type) == VKQ_Q4_1 || (type) == VKQ_Q5_1 ? 32u : 64u)
const bool kKeyFloats = kKeyType == VKQ_F32 || kKeyType == VKQ_F16;
const uint kKeyWords = kHeadDim / CODE_ELEMENTS(kKeyType);
const uint kKeyScaleWords = (kHeadDim + SCALE_ELEMENTS(kKeyType) - 1u) / SCALE_ELEMENTS(kKeyType);
const uint kOctetWords = 8u / CODE_ELEMENTS(kKeyType);
const bool kValueFloats = kValueType == VKQ_F32 || kValueType == VKQ_F16;
const uint kValueElements = CODE_ELEMENTS(kValueType);           // dimensions that a lane has of a vector
const uint kValueVectors = kHeadDim / kValueElements / 8u;       // of a row
const uint kValueScaleWords = (kHeadDim + SCALE_ELEMENTS(kValueType) - 1u) / SCALE_ELEMENTS(kValueType);
const float kLowest = -1e30;

shared float whole_rows[kRows * kHeadDim];

/// Eight codes, or floats, of a cache's words.
void unpackEight(uint type, uint words[8], uint high, out float x[8]) {
	if (type == VKQ_F32) {
		[[unroll]] for (uint i = 0; i < 8u; ++i) x[i] = uintBitsToFloat(words[i]);
	} else if (type == VKQ_F16) {
		[[unroll]] for (uint i = 0; i < 4u; ++i) {
			const vec2 two = unpackHalf2x16(words[i]);
			x[2u * i] = two.x;
			x[2u * i + 1u] = two.y;
		}
	} else if (type == VKQ_Q8_0) {
		[[unroll]] for (uint i = 0; i < 8u; ++i) x[i] = float(bitfieldExtract(int(words[i / 4u]), int(8u * (i & 3u)), 8));
	} else {
		[[unroll]] for (uint i = 0; i < 8u; ++i) {
			const uint code = (words[0] >> (4u * i)) & 15u;
			if (type == VKQ_IQ4_NL) x[i] = kIq4Table[code];
			else x[i] = float(int(cacheHasFifthBit(type) ? code | ((high >> i) & 1u) << 4u : code));
		}
	}
}

/// Scale and minimum of a block, from its word of plane 2: element = scale * code + minimum.
vec2 scaleAndMinimum(uint type, uint word, uint block) {
	const vec2 both = unpackHalf2x16(word);
	if (cacheHasMinimum(type)) return both;
	const float scale = (block & 1u) != 0u ? both.y : both.x;
	return vec2(scale, scale * (type == VKQ_Q5_0 ? -16.0 : type == VKQ_Q4_0 ? -8.0 : 0.0));
}

uint ringCell(uint position) { return position < push.cells ? position : position % push.cells; }

/// A vector of K: word `word` of a plane of `row_words`, of eight positions from `row` on.
#define KEY_WORD(plane, row, row_words, word) pickOwn(KEY_VECTORS[(plane) / 8u + ((row) / kTile * (row_words) + (word)) * kEights + (row) % kTile / 8u])

void main() {
	const uint lane = gl_SubgroupInvocationID;
	const uint kv_head = gl_WorkGroupID.y, split = gl_WorkGroupID.z, first_row = gl_WorkGroupID.x * kRows;
	const uint rows = step_input.tokens * kGroup;
	if (first_row >= rows) return;
	const uint last_token = (min(first_row + kRows, rows) - 1u) / kGroup;
	uint query_at[kRows], own[kRows];
	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		const uint row = min(first_row + r, rows - 1u);
		query_at[r] = (row / kGroup * push.query_stride + ((push.first_head + kv_head) * kGroup + row % kGroup) * kHeadDim) / 4u;
		own[r] = step_input.first_position + (first_row + r) / kGroup;
	}

	// Positions [begin, end) are seen by some row; this split's are [first, last).
	const uint first_position = step_input.first_position + first_row / kGroup;
	const uint end = step_input.first_position + last_token + 1u;
	uint begin = push.window != 0u && first_position + 1u > push.window ? first_position + 1u - push.window : 0u;
	begin -= begin % kTile;
	const uint share = ((end - begin + push.splits - 1u) / push.splits + kTile - 1u) / kTile * kTile;
	const uint first = begin + split * share, last = min(end, first + share);

	float maximum[kRows], sum[kRows];                            // the sum of the lane's positions
	float mixture[kRows * kValueVectors * kValueElements];
	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		maximum[r] = kLowest;
		sum[r] = 0.0;
	}
	[[unroll]] for (uint i = 0; i < kRows * kValueVectors * kValueElements; ++i) mixture[i] = 0.0;

	for (uint base = first; base < last; base += kTile) {
		const uint cell = ringCell(base);                        // the ring holds whole tiles
		const uint key_row = push.key_first_row + kv_head * push.cells + cell;
		float score[kEights * kRows];
		[[unroll]] for (uint i = 0; i < kEights * kRows; ++i) score[i] = 0.0;
		for (uint unclamped = 0; unclamped < kOctets; ++unclamped) {
			// include/stream_loads.glsl: read even when the loop has ended. A constant bound would be optimized away.
			const uint octet = min(unclamped, push.last_octet);
			float q[kRows * 8u];
			[[unroll]] for (uint r = 0; r < kRows; ++r) {
				const vec4 a = QUERY[query_at[r] + octet * 2u], b = QUERY[query_at[r] + octet * 2u + 1u];
				[[unroll]] for (uint i = 0; i < 4u; ++i) {
					q[r * 8u + i] = a[i];
					q[r * 8u + 4u + i] = b[i];
				}
			}
			const uint block = octet / 4u;
			[[unroll]] for (uint e = 0; e < kEights; ++e) {
				const uint row = key_row + e * 8u;
				uint words[8];
				[[unroll]] for (uint i = 0; i < kOctetWords; ++i) words[i] = KEY_WORD(0u, row, kKeyWords, octet * kOctetWords + i);
				uint high = 0u;
				if (cacheHasFifthBit(kKeyType)) high = KEY_WORD(push.key_high_word, row, kHeadDim / 32u, block) >> (octet % 4u * 8u);
				float k[8];
				unpackEight(kKeyType, words, high, k);
				vec2 scale = vec2(1.0, 0.0);
				if (!kKeyFloats) scale = scaleAndMinimum(kKeyType, KEY_WORD(push.key_scale_word, row, kKeyScaleWords, block * 32u / SCALE_ELEMENTS(kKeyType)), block);
				[[unroll]] for (uint r = 0; r < kRows; ++r) {
					float part = 0.0, q_sum = 0.0;
					[[unroll]] for (uint i = 0; i < 8u; ++i) {
						part = fma(q[r * 8u + i], k[i], part);
						q_sum += q[r * 8u + i];
					}
					score[e * kRows + r] += kKeyFloats ? part : scale.x * part + scale.y * q_sum;
				}
			}
		}

		[[unroll]] for (uint r = 0; r < kRows; ++r) {
			float tile_maximum = kLowest;
			[[unroll]] for (uint e = 0; e < kEights; ++e) {
				const uint position = base + e * 8u + lane;
				const bool seen = position <= own[r] && (push.window == 0u || position + push.window > own[r]);
				float s = score[e * kRows + r];
				if (push.softcap != 0.0) s = push.softcap * tanh(clamp(s / push.softcap, -20.0, 20.0));
				s = seen ? s : 2.0 * kLowest;
				score[e * kRows + r] = s;
				tile_maximum = max(tile_maximum, s);
			}
			const float now = max(maximum[r], subgroupMax(tile_maximum)), shrink = exp(maximum[r] - now);
			maximum[r] = now;
			sum[r] *= shrink;
			[[unroll]] for (uint i = 0; i < kValueVectors * kValueElements; ++i) mixture[r * kValueVectors * kValueElements + i] *= shrink;
			[[unroll]] for (uint e = 0; e < kEights; ++e) {
				const float s = score[e * kRows + r], p = s > kLowest ? exp(s - now) : 0.0;
				score[e * kRows + r] = p;
				sum[r] += p;
			}
		}

		// What lies behind the last position was never written.
		const uint value_row = push.value_first_row + kv_head * push.cells + cell, count = min(kTile, last - base);
		[[unroll]] for (uint e = 0; e < kEights; ++e) {
			const uint here = clamp(count, e * 8u, e * 8u + 8u) - e * 8u;
			[[dont_unroll]] for (uint i = 0; i < here; ++i) {
				const uint row = min(value_row + e * 8u + i, push.last_value_row);   // as above
				float p[kRows];
				[[unroll]] for (uint r = 0; r < kRows; ++r) p[r] = subgroupBroadcast(score[e * kRows + r], i);
				[[unroll]] for (uint v = 0; v < kValueVectors; ++v) {
					// A vector of 8-bit codes is a block; one of fewer bits is two, of which each half of the lanes has one.
					const uint words[8] = {pickOwn(VALUE_VECTORS[row * kValueVectors + v]), 0u, 0u, 0u, 0u, 0u, 0u, 0u};
					const bool upper = lane >= 4u;
					uint high = 0u;
					if (cacheHasFifthBit(kValueType)) {
						const uint at = push.value_high_word + row * (kHeadDim / 32u) + 2u * v;
						const uint low_bits = VALUE_WORDS[at], high_bits = VALUE_WORDS[at + 1u];
						high = (upper ? high_bits : low_bits) >> ((lane & 3u) * 8u);
					}
					float x[8];
					unpackEight(kValueType, words, high, x);
					if (!kValueFloats) {
						const uint at = push.value_scale_word + row * kValueScaleWords;
						vec2 scale;
						if (kValueType == VKQ_Q8_0) {
							scale = scaleAndMinimum(kValueType, VALUE_WORDS[at + v / 2u], v);
						} else if (cacheHasMinimum(kValueType)) {
							const vec2 a = scaleAndMinimum(kValueType, VALUE_WORDS[at + 2u * v], 0u), b = scaleAndMinimum(kValueType, VALUE_WORDS[at + 2u * v + 1u], 0u);
							scale = upper ? b : a;
						} else {
							const uint word = VALUE_WORDS[at + v];
							const vec2 a = scaleAndMinimum(kValueType, word, 0u), b = scaleAndMinimum(kValueType, word, 1u);
							scale = upper ? b : a;
						}
						[[unroll]] for (uint j = 0; j < kValueElements; ++j) x[j] = fma(scale.x, x[j], scale.y);
					}
					[[unroll]] for (uint r = 0; r < kRows; ++r)
						[[unroll]] for (uint j = 0; j < kValueElements; ++j) {
							const uint to = (r * kValueVectors + v) * kValueElements + j;
							mixture[to] = fma(p[r], x[j], mixture[to]);
						}
				}
			}
		}
	}

	[[unroll]] for (uint r = 0; r < kRows; ++r) {
		const float total = subgroupAdd(sum[r]);
		const uint row = first_row + r;
		if (row >= rows) continue;
		const uint token = row / kGroup, head = (push.first_head + kv_head) * kGroup + row % kGroup;
		const bool whole = push.splits == 1u;
		const uint at = whole ? token * push.output_stride + head * kHeadDim : ((split * step_input.tokens + token) * push.heads + head) * (kHeadDim + 2u);
		const float scale = whole ? 1.0 / total : 1.0;
		[[unroll]] for (uint v = 0; v < kValueVectors; ++v)
			[[unroll]] for (uint j = 0; j < kValueElements; ++j) {
				const uint i = (v * 8u + lane) * kValueElements + j;
				const float x = mixture[(r * kValueVectors + v) * kValueElements + j] * scale;
				if (kFloatOutput) mixed[at + i] = x;
				if (kQuantizedOutput) whole_rows[r * kHeadDim + i] = x;
			}
		if (!whole && lane == 0u) {
			mixed[at + kHeadDim] = maximum[r];
			mixed[at + kHeadDim + 1u] = total;
		}
	}
	if (!kQuantizedOutput) return;
	barrier();
	const uint blocks = kHeadDim / 32u;   // of a head
	for (uint b = lane; b < kRows * blocks; b += 8u) {
		const uint row = first_row + b / blocks;
		if (row >= rows) continue;
		float v[32];
		[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = whole_rows[b * 32u + i];
		quantizeBlock(v, row / kGroup, ((push.first_head + kv_head) * kGroup + row % kGroup) * blocks + b % blocks, push.heads * blocks);
	}
}
