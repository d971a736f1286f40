#version 460
// Q2_K: 256 weights in 84 bytes (drawn in quant/q2_k.cpp), x ~ d * s_j * q - dmin * m_j, sixteen sub-blocks j of 16.
// Must equal encodeRow() of quant/codec.h. One invocation a pair of sub-blocks.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
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
#define AFFINE_GROUPS 2
#define AFFINE_COUNT 16
#define AFFINE_LARGEST 3
#ifdef IMPORTANCE
#define AFFINE_FIRST -0.9
#define AFFINE_STEP 0.05
#define AFFINE_STEPS 36
#define AFFINE_CLAMPS_FIRST
#define POSITIVE_COUNT 16
#define POSITIVE_LARGEST 15
#include "include/encode/importance.glsl"
#include "include/encode/search_positive.glsl"
#else
#define AFFINE_FIRST -0.5
#define AFFINE_STEP 0.1
#define AFFINE_STEPS 15
#define AFFINE_ABSOLUTE
#endif
#include "include/encode/search_affine.glsl"

layout(binding = 1, scalar) writeonly buffer Output { uint target[]; };
#include "include/encode/store_q2_k.glsl"

#ifdef IMPORTANCE
/// d and dmin as halves' bits by the weighted search: even invocations do the scales, odd ones the offsets. `codes`: of this
/// invocation's two sub-blocks, scales in .xy, offsets in .zw.
uvec2 scalesBySearch(uint lane, AffineFit fit[2], float group_weight[2], out uvec4 codes, inout uint reasons) {
	const bool minima = (lane & 1u) != 0u;
	float value[16], weight[16];
	[[unroll]] for (int j = 0; j < 16; ++j) {
		const float scale = superBroadcast(fit[j & 1].scale, j / 2), offset = superBroadcast(-fit[j & 1].low, j / 2);
		value[j] = minima ? offset : scale;
		weight[j] = superBroadcast(group_weight[j & 1], j / 2);
	}
	const PositiveFit found = searchPositive(value, weight);
	if (found.uncertain) reasons |= kNoteUncertain;
	uint own = 0u, neighbours = 0u;
	[[unroll]] for (int j = 0; j < 8; ++j) {
		const uint both = uint(found.code[2 * j]) | uint(found.code[2 * j + 1]) << 8;
		if (lane == j) own = both;
		if ((lane ^ 1u) == j) neighbours = both;
	}
	const uint d = halfBits(found.scale) << 16;
	own |= d;
	const uint theirs = superReadXor(neighbours | d, 1u);
	const uint scales = minima ? theirs : own, offsets = minima ? own : theirs;
	codes = uvec4(scales & 0xffu, scales >> 8 & 0xffu, offsets & 0xffu, offsets >> 8 & 0xffu);
	return uvec2(scales >> 16, offsets >> 16);
}
#else
/// The largest of all sub-blocks over 15 becomes the unit; `codes` are its multiples. Returns the half's bits.
uint scaleByMaximum(vec2 own, out uvec2 codes, inout uint reasons) {
	const float largest = superMaxPositive(max(max(own.x, own.y), 0.0));
	const float inverse = largest > 0.0 ? exactDivide(15.0, largest) : 0.0;
	if (own.x < 0.0 || own.y < 0.0) reasons |= kNoteUncertain;   // a negative scale's code spills into its neighbours in the reference
	precise vec2 multiple = inverse * own;
	codes = uvec2(nearestClamped(multiple.x, 0, 15), nearestClamped(multiple.y, 0, 15));
	return halfBits(exactDivide(largest, 15.0));
}
#endif

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	AffineFit fit[2];
	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) {
		seeMagnitude(x[i]);
		w[i] = magnitudeOf(x[i]);
	}
#ifdef IMPORTANCE
	const float sigma2 = exactDivide(sums[element / 256u], 256.0);
	IMPORTANCE_WEIGHTS(32, element % push.row_elements, sigma2)
#endif
	float group_weight[2];
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float total = w[16 * g];
		[[unroll]] for (int i = 1; i < 16; ++i) total = total + w[16 * g + i];
		group_weight[g] = total;
	}
	searchAffine(fit);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-20), POWER_OF_TWO(-48));
	if (fit[0].uncertain || fit[1].uncertain) reasons |= kNoteUncertain;

#ifdef IMPORTANCE
	uvec4 scale_codes;
	const uvec2 scales = scalesBySearch(lane, fit, group_weight, scale_codes, reasons);
	const uint d = scales.x, dmin = scales.y;
#else
	uvec2 codes_of_scales, codes_of_minima;
	const uint d = scaleByMaximum(vec2(fit[0].scale, fit[1].scale), codes_of_scales, reasons);
	const uint dmin = scaleByMaximum(vec2(-fit[0].low, -fit[1].low), codes_of_minima, reasons);
	const uvec4 scale_codes = uvec4(codes_of_scales, codes_of_minima);
#endif
	if (!halfIsFinite(d) || !halfIsFinite(dmin)) reasons |= kNoteScale;

	uint word[8];
	uint quotients = 0u;
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float scale = halfValue(d) * float(scale_codes[g]);
		precise float minimum = halfValue(dmin) * float(scale_codes[2 + g]);
		const bool keeps = scale == 0.0;   // then the search's codes stay
		[[unroll]] for (int k = 0; k < 4; ++k) {
			uint packed = 0u;
			[[unroll]] for (int b = 0; b < 4; ++b) {
				const float value = x[16 * g + 4 * k + b];
				precise float shifted = value + minimum;
				const float quotient = exactDivide(shifted, keeps ? 1.0 : scale);
				quotients = max(quotients, keeps ? 0u : floatBitsToUint(quotient) & 0x7fffffffu);
				packed |= uint(keeps ? affineCode(value, fit[g].code_inverse, fit[g].code_low) : nearestClamped(quotient, 0, 3)) << (8 * b);
			}
			word[4 * g + k] = packed;
		}
	}
	if (quotients > floatBitsToUint(kNearestRange)) reasons |= kNoteUncertain;

	storeSuperBlock(alive, push.output_unit + block * kBlockWords, lane, d | dmin << 16, scale_codes.xy, scale_codes.zw, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
