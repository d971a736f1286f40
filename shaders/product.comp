#version 460
// y[column][row] = sum over k of W[row][k] * x[column][k], W in device layout, decoded in registers.
//
// A lane owns kRowsPerLane rows x kColumns columns of y; neighbouring lanes own neighbouring rows. gl_WorkGroupSize.y slices of a workgroup
// share the rows and split k between them (for devices that need more lanes than there are rows); their partial sums meet in shared memory.
// How weights and x reach the lanes: include/product_loads.glsl.
//
// Two arithmetics:
//   float (default)  w is decoded to the float that quant/codec.h gives, then multiplied and added in single precision
//   VKQ_INTEGER      x comes in 8 bits per 32 (quantize_activations.comp). One 32-bit multiplication of two packed pairs makes two products:
//                    (a + b 2^16) (Q_b + Q_a 2^16) = a Q_b + (a Q_a + b Q_b) 2^16 mod 2^32. The high half is wanted. Sums of up to kFlush
//                    products keep both halves within 16 signed bits; starting them at 2^15 turns the shift that takes the high half into rounding
//                    that absorbs the low half, whatever its sign. The result is the exact integer.
//   VKQ_DOT          the same integers, by the device's products of four packed bytes and four (VK_KHR_shader_integer_dot_product).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#ifdef VKQ_STREAM
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#endif
#ifdef VKQ_DOT
#extension GL_EXT_spirv_intrinsics : require
#endif
#include "shared/product.h"

layout(local_size_x_id = 0, local_size_y_id = 1) in;
layout(constant_id = 2) const uint kRowsPerLane = 1;
layout(constant_id = 3) const uint kColumns = 1;
layout(constant_id = 4) const uint kInterleave = 8;
layout(constant_id = 5) const uint kBroadcast = 0;      // 1: subgroups have at least eight lanes
layout(constant_id = 6) const uint kUnit = 1;           // blocks of 32 that a slice takes at a time
layout(constant_id = 7) const uint kCodes = VKQ_CODES_4;
layout(constant_id = 8) const uint kScales = VKQ_SCALES_F16;
layout(constant_id = 9) const uint kOffset = 0;         // what is taken from every code
layout(constant_id = 10) const uint kTable = VKQ_TABLE_NONE;

#include "include/product_work.glsl"
#include "include/device_layout.glsl"

const uint kTile = kRowsPerLane * kColumns;
const uint kSlices = gl_WorkGroupSize.y;
shared float partial[kSlices > 1u ? gl_WorkGroupSize.x * gl_WorkGroupSize.y * kTile : 1u];

float acc[kTile];
uint row_base[kRowsPerLane], high_base[kRowsPerLane], scale_base[kRowsPerLane], super_base[kRowsPerLane];
uint x_base[kColumns];
vec2 super[kRowsPerLane];                               // superScales() of the unit at hand
#include "include/product_loads.glsl"

#if defined(VKQ_INTEGER) || defined(VKQ_DOT)

#ifdef VKQ_DOT
const uint kActivationCodeWords = VKQ_ACTIVATION_BYTE_WORDS;
#else
const uint kActivationCodeWords = VKQ_ACTIVATION_PAIR_WORDS;
#endif

// Of the block at hand.
float x_scale[kColumns];
int x_sums[kColumns];
uint scales[kRowsPerLane], high[kRowsPerLane];
int sum[kTile];

void beginBlock(uint block) {
	const uint blocks = push.columns / 32u;
	[[unroll]] for (uint c = 0; c < kColumns; ++c) {
		const uvec2 meta = loadTwo(x_base[c] + blocks * kActivationCodeWords + block * 2u);
		x_scale[c] = uintBitsToFloat(meta.x);
		x_sums[c] = int(meta.y);
	}
	[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
		scales[t] = kScales == VKQ_SCALES_NONE ? 0u : loadWeight(scale_base[t], scaleWord(block));
		high[t] = kHighBits == 1u ? loadWeight(high_base[t], block) : 0u;
	}
	[[unroll]] for (uint i = 0; i < kTile; ++i) sum[i] = 0;
}

/// The sums of half `h`, or after the second of the whole block, go to `acc`. `offset`: what the codes of the sums are too large by.
void addSums(uint block, uint h, int offset) {
	if (!kScaleOf16 && h == 0u) return;
	[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
		const vec2 scale = scaleAndMinimum(scales[t], super[t], block, h);
		[[unroll]] for (uint c = 0; c < kColumns; ++c) {
			const uint i = t * kColumns + c;
			const int low_sum = bitfieldExtract(x_sums[c], 0, 16), high_sum = x_sums[c] >> 16;
			const int x_sum = !kScaleOf16 ? low_sum + high_sum : h == 0u ? low_sum : high_sum;
			float product = scale.x * float(sum[i] - offset * x_sum);
			if (kHasMinimum) product += scale.y * float(x_sum);
			acc[i] += x_scale[c] * product;
			sum[i] = 0;
		}
	}
}

#endif

#ifdef VKQ_DOT

// OpSDotKHR on words of four signed bytes; glslang 12 has no built-in function for it.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int signedDot(int a, int b, spirv_literal int format);
const int kPackedBytes = 0;

void multiplyBlock(uint block) {
	beginBlock(block);
	uint words[kColumns * kSpread];
	[[unroll]] for (uint c = 0; c < kColumns; ++c) {
		LOAD_EIGHT(words, c, x_base[c] + block * VKQ_ACTIVATION_BYTE_WORDS);
	}
	[[unroll]] for (uint h = 0; h < 2u; ++h) {
		uint low[kRowsPerLane * kHalfWords];
		[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
			if (kHighBits == 2u) high[t] = loadWeight(high_base[t], block * 2u + h);
			[[unroll]] for (uint i = 0; i < kHalfWords; ++i) low[t * kHalfWords + i] = loadWeight(row_base[t], (block * 2u + h) * kHalfWords + i);
		}
		[[unroll]] for (uint q = 0; q < 4u; ++q) {
			const uint j = q / 2u * 4u + (q & 1u);   // the four are pairs j and j + 2
			int four_x[kColumns];
			[[unroll]] for (uint c = 0; c < kColumns; ++c) four_x[c] = int(FROM_EIGHT(words, c, h * 4u + q));
			[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
				const int four = int(codeBytes(low[t * kHalfWords + pairWord(j)], low[t * kHalfWords + pairWord(j + 2u)], high[t], j, h));
				[[unroll]] for (uint c = 0; c < kColumns; ++c) sum[t * kColumns + c] += signedDot(four, four_x[c], kPackedBytes);
			}
		}
		addSums(block, h, kCodes == VKQ_CODES_8 ? 0 : int(kOffset));
	}
}

#elif defined(VKQ_INTEGER)

const uint kFlushBytes = kCodes == VKQ_CODES_8 ? 1u : 8u;                  // codes to -128: one product of 128 x 127 x 2
const uint kFlushTable = kTable == VKQ_TABLE_IQ4 ? 1u : kFlushBytes;
const uint kFlushSix = kCodes == VKQ_CODES_6 ? 4u : kFlushTable;           // to -32
const uint kFlushFive = kOffset == 0u ? 4u : 8u;                           // to 31, or -16
const uint kFlush = kCodes == VKQ_CODES_5 ? kFlushFive : kFlushSix;

void multiplyBlock(uint block) {
	beginBlock(block);
	[[unroll]] for (uint h = 0; h < 2u; ++h) {
		uint pairs[kColumns * kSpread];
		[[unroll]] for (uint c = 0; c < kColumns; ++c) {
			LOAD_EIGHT(pairs, c, x_base[c] + block * VKQ_ACTIVATION_PAIR_WORDS + h * 8u);
		}
		uint low[kRowsPerLane * kHalfWords];
		[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
			if (kHighBits == 2u) high[t] = loadWeight(high_base[t], block * 2u + h);
			[[unroll]] for (uint i = 0; i < kHalfWords; ++i) low[t * kHalfWords + i] = loadWeight(row_base[t], (block * 2u + h) * kHalfWords + i);
		}
		int products[kTile];
		[[unroll]] for (uint j = 0; j < 8u; ++j) {
			uint x_pair[kColumns];
			[[unroll]] for (uint c = 0; c < kColumns; ++c) x_pair[c] = FROM_EIGHT(pairs, c, j);
			[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
				const uint pair = codePair(low[t * kHalfWords + pairWord(j)], high[t], j, h);
				[[unroll]] for (uint c = 0; c < kColumns; ++c) {
					const uint i = t * kColumns + c;
					if (j % kFlush == 0u) products[i] = 0x8000;
					products[i] += int(pair * x_pair[c]);
					if (j % kFlush == kFlush - 1u) sum[i] += products[i] >> 16;
				}
			}
		}
		addSums(block, h, 0);
	}
}

#else

void multiplyBlock(uint block) {
	// Rows of floats may end inside a block: words and x beyond the end are taken as the last ones, times 0.
	const bool whole = !kFloats || block * 32u + 32u <= push.columns;
	uint scales[kRowsPerLane], high[kRowsPerLane];
	[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
		scales[t] = kScales == VKQ_SCALES_NONE ? 0u : loadWeight(scale_base[t], scaleWord(block));
		high[t] = kHighBits == 1u ? loadWeight(high_base[t], block) : 0u;
	}
	for (uint h = 0; h < 2u; ++h) {
		const uint first = block * 32u + h * 16u;
		uint low[kRowsPerLane * kHalfWords];
		vec2 scale[kRowsPerLane];
		[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
			if (kHighBits == 2u) high[t] = loadWeight(high_base[t], block * 2u + h);
			scale[t] = scaleAndMinimum(scales[t], super[t], block, h);
			[[unroll]] for (uint i = 0; i < kHalfWords; ++i) {
				const uint word = (block * 2u + h) * kHalfWords + i;
				low[t * kHalfWords + i] = loadWeight(row_base[t], whole ? word : min(word, push.row_words - 1u));
			}
		}
		uint near[kColumns * kSpread], far[kColumns * kSpread];   // x of elements 0-7 and 8-15
		[[unroll]] for (uint c = 0; c < kColumns; ++c) {
			if (whole) {
				LOAD_EIGHT(near, c, x_base[c] + first);
				LOAD_EIGHT(far, c, x_base[c] + first + 8u);
			} else {
				LOAD_EIGHT_BEFORE(near, c, first, push.columns);
				LOAD_EIGHT_BEFORE(far, c, first + 8u, push.columns);
			}
		}
		[[unroll]] for (uint j = 0; j < 8u; ++j) {
			const uint element = pairElement(j);
			vec2 x_pair[kColumns];
			[[unroll]] for (uint c = 0; c < kColumns; ++c) {
				if (element < 8u) x_pair[c] = uintBitsToFloat(uvec2(FROM_EIGHT(near, c, element & 7u), FROM_EIGHT(near, c, (element + kPairStep) & 7u)));
				else x_pair[c] = uintBitsToFloat(uvec2(FROM_EIGHT(far, c, element & 7u), FROM_EIGHT(far, c, (element + kPairStep) & 7u)));
			}
			[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
				const uint at = t * kHalfWords + pairWord(j);
				vec2 w = valuePair(low[at], kCodes == VKQ_CODES_F32 ? low[at + 1u] : 0u, high[t], j, h);
				if (kScales != VKQ_SCALES_NONE) w *= scale[t].x;
				if (kHasMinimum) w += scale[t].y;
				[[unroll]] for (uint c = 0; c < kColumns; ++c) {
					acc[t * kColumns + c] = fma(w.x, x_pair[c].x, acc[t * kColumns + c]);
					acc[t * kColumns + c] = fma(w.y, x_pair[c].y, acc[t * kColumns + c]);
				}
			}
		}
	}
}

#endif

void main() {
	const uint lane = gl_LocalInvocationID.x, slice = kSlices > 1u ? gl_LocalInvocationID.y : 0u;   // 0 where loops must not look divergent

	const Work work = findWork(kColumns);
	if (work.first >= work.count) return;
	uint y_vector[kColumns];
	[[unroll]] for (uint c = 0; c < kColumns; ++c) {
		y_vector[c] = outputVector(work, min(work.first + c, work.count - 1u));
		x_base[c] = inputVector(y_vector[c]) * push.x_stride;
	}

	const uint first_row = matrix.first_row + matrix.group * gl_WorkGroupSize.x * kRowsPerLane;
	bool mine[kRowsPerLane];
	[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
		const uint piece_row = pieceRow(work, first_row + t * gl_WorkGroupSize.x + lane);
		mine[t] = piece_row < matrix.piece_rows;
		const uint safe = loadedRow(work, first_row + t * gl_WorkGroupSize.x, lane);
		row_base[t] = planeBase(matrix.codes, safe, push.row_words);
		high_base[t] = planeBase(matrix.high, safe, push.row_high_words);
		scale_base[t] = planeBase(matrix.scales, safe, push.row_scale_words);
		super_base[t] = planeBase(matrix.super, safe, push.row_super_words);
	}

	[[unroll]] for (uint i = 0; i < kTile; ++i) acc[i] = 0.0;
	const uint blocks = (push.columns + 31u) / 32u;
	for (uint unit = slice * kUnit; unit < blocks; unit += kSlices * kUnit) {
		[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) super[t] = kHasSuper ? superScales(loadWeight(super_base[t], min(unit, blocks - 1u) / 8u)) : vec2(0.0);
		// Clamped: include/stream_loads.glsl. Not unrolled: the loop must fit the instruction cache of a software device's host.
		[[dont_unroll]] for (uint block = unit; block < min(unit + kUnit, blocks); ++block) multiplyBlock(min(block, blocks - 1u));
	}

	if (kSlices > 1u) {
		[[unroll]] for (uint i = 0; i < kTile; ++i) partial[(i * kSlices + slice) * gl_WorkGroupSize.x + lane] = acc[i];
		barrier();
		if (slice != 0u) return;
		[[unroll]] for (uint i = 0; i < kTile; ++i)
			for (uint s = 1; s < kSlices; ++s) acc[i] += partial[(i * kSlices + s) * gl_WorkGroupSize.x + lane];
	}
	[[unroll]] for (uint t = 0; t < kRowsPerLane; ++t) {
		const uint row = first_row + t * gl_WorkGroupSize.x + lane;
		[[unroll]] for (uint c = 0; c < kColumns; ++c) {
			if (!mine[t] || work.first + c >= work.count) continue;
			const uint at = matrix.y + y_vector[c] * matrix.y_stride + row;
			y[at] = push.accumulate != 0u ? y[at] + acc[t * kColumns + c] : acc[t * kColumns + c];
		}
	}
}
