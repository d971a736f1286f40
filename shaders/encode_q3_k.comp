#version 460
// Q3_K: 256 weights in 110 bytes (drawn in quant/q3_k.cpp), x ~ d * (s_j - 32) * (q - 4), sixteen sub-blocks j of 16.
// Must equal encodeRow() of quant/codec.h. One invocation a pair of sub-blocks.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require
#ifndef EXCHANGE_SHARED
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "shared/encode.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { EncodePush push; };

#include "include/exact.glsl"
#include "include/encode/source.glsl"
#include "include/encode/notes.glsl"
#include "include/encode/super_block.glsl"

float x[32], w[32];
#ifdef IMPORTANCE
#define SYMMETRIC_GROUPS 2
#define SYMMETRIC_COUNT 16
#include "include/encode/importance.glsl"
#include "include/encode/search_symmetric.glsl"
#else
#include "include/encode/search_moves.glsl"
#endif
#include "include/encode/store_q3_k.glsl"

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
#ifdef IMPORTANCE
	precise float sigma2 = sums[element / 256u] * 2.0;
	sigma2 = sigma2 / 256.0;
	IMPORTANCE_WEIGHTS(32, element % push.row_elements, sigma2)
	float group_weight[2];
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float total = w[16 * g];
		[[unroll]] for (int i = 1; i < 16; ++i) total = total + w[16 * g + i];
		group_weight[g] = total;
	}
	SymmetricFit fit[2];
	searchSymmetric(4, 2, fit);
#else
	MovesFit fit[2];
	float level[32];
	searchMoves(fit, level);
#endif
	bool uncertain = fit[0].uncertain || fit[1].uncertain;
	uint kept[8];   // codes of the search, one a byte: they stay where a sub-block's scale becomes zero
	[[unroll]] for (int k = 0; k < 8; ++k) {
		uint packed = 0u;
		[[unroll]] for (int b = 0; b < 4; ++b) {
#ifdef IMPORTANCE
			packed |= symmetricCode(4, fit[k / 4], x[4 * k + b]) << (8 * b);
#else
			packed |= (fit[k / 4].zero ? 0u : uint(int(level[4 * k + b]) + 4)) << (8 * b);
#endif
		}
		kept[k] = packed;
	}
	uint reasons = magnitudeReasons(POWER_OF_TWO(-45), POWER_OF_TWO(-42));

	uint scale_code[2];   // 0 .. 63
#ifdef IMPORTANCE
	[[unroll]] for (int j = 0; j < 16; ++j) {
		x[j] = superBroadcast(fit[j & 1].scale, j / 2);
		w[j] = superBroadcast(group_weight[j & 1], j / 2);
	}
	SymmetricFit outers[2];
	searchSymmetric(32, 1, outers);
	const SymmetricFit outer = outers[0];
	uncertain = uncertain || outer.uncertain;
	const uint d = halfBits(outer.scale);
	[[unroll]] for (int g = 0; g < 2; ++g) scale_code[g] = symmetricCode(32, outer, fit[g].scale);
#else
	// The first scale of largest magnitude becomes -32 times d.
	const float extreme = superExtreme(lane, magnitudeOf(fit[1].scale) > magnitudeOf(fit[0].scale) ? fit[1].scale : fit[0].scale);
	const bool empty = extreme == 0.0;
	const float inverse = exactDivide(-32.0, empty ? 1.0 : extreme);
	const uint d = empty ? 0u : halfBits(exactDivide(1.0, inverse));
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float multiple = inverse * fit[g].scale;
		scale_code[g] = empty ? 0u : uint(int(nearestClamped(multiple, -32, 31)) + 32);
	}
#endif
	if (uncertain) reasons |= kNoteUncertain;
	if (!halfIsFinite(d)) reasons |= kNoteScale;

#ifdef IMPORTANCE
	LOAD_WEIGHTS(x, 32, element)   // scales stood there
#endif
	uint word[8];
	uint quotients = 0u;
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float scale = halfValue(d) * float(int(scale_code[g]) - 32);
		const bool keeps = scale == 0.0;
		[[unroll]] for (int k = 0; k < 4; ++k) {
			uint packed = 0u;
			[[unroll]] for (int b = 0; b < 4; ++b) {
				const float quotient = exactDivide(x[16 * g + 4 * k + b], keeps ? 1.0 : scale);
				quotients = max(quotients, keeps ? 0u : floatBitsToUint(quotient) & 0x7fffffffu);
				packed |= uint(int(nearestClamped(quotient, -4, 3)) + 4) << (8 * b);
			}
			word[4 * g + k] = keeps ? kept[4 * g + k] : packed;
		}
	}
	if (quotients > floatBitsToUint(kNearestRange)) reasons |= kNoteUncertain;

	storeSuperBlock(alive, push.output_unit + block * kBlockHalves, lane, d, scale_code[0] | scale_code[1] << 8, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
