#version 460
// Q4_K and Q5_K: 256 weights as eight sub-blocks of 32, x ~ d * s_j * q - dmin * m_j. Must equal encodeRow() of quant/codec.h.
//
// One invocation a sub-block: it searches the sub-block's scale and offset; the eight then agree on d and dmin, and each
// rounds its own codes anew for the scales as a decoder will see them.
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

layout(binding = 1, scalar) writeonly buffer Output { uint target[]; };

float x[32], w[32];
#define AFFINE_GROUPS 1
#define AFFINE_COUNT 32
#ifdef FORMAT_Q4_K
#include "include/encode/store_q4_k.glsl"
#define AFFINE_LARGEST 15
#define PLAIN_FIRST -1.0
#define PLAIN_STEPS 20
#else
#include "include/encode/store_q5_k.glsl"
#define AFFINE_LARGEST 31
#define PLAIN_FIRST -0.5
#define PLAIN_STEPS 15
#endif
#ifdef IMPORTANCE
#define AFFINE_FIRST -0.9
#define AFFINE_STEP 0.05
#define AFFINE_STEPS 36
#define AFFINE_CLAMPS_FIRST
#include "include/encode/importance.glsl"
#define POSITIVE_COUNT 8
#define POSITIVE_LARGEST 63
#include "include/encode/search_positive.glsl"
#else
#define AFFINE_FIRST PLAIN_FIRST
#define AFFINE_STEP 0.1
#define AFFINE_STEPS PLAIN_STEPS
#endif
#include "include/encode/search_affine.glsl"

#ifdef IMPORTANCE
/// d and dmin as halves' bits by the weighted search: even invocations do the scales, odd ones the offsets.
uvec2 scalesBySearch(uint lane, AffineFit fit, out uint scale_code, out uint minimum_code, inout uint reasons) {
	precise float own_weight = w[0];
	[[unroll]] for (int i = 1; i < 32; ++i) own_weight = own_weight + w[i];
	const bool minima = (lane & 1u) != 0u;
	float value[8], weight[8];
	[[unroll]] for (int j = 0; j < 8; ++j) {
		const float scale = superBroadcast(fit.scale, j), offset = superBroadcast(-fit.low, j);
		value[j] = minima ? offset : scale;
		weight[j] = superBroadcast(own_weight, j);
	}
	const PositiveFit found = searchPositive(value, weight);
	if (found.uncertain) reasons |= kNoteUncertain;
	float own = 0.0, neighbours = 0.0;
	[[unroll]] for (int j = 0; j < 8; ++j) {
		if (lane == j) own = found.code[j];
		if ((lane ^ 1u) == j) neighbours = found.code[j];
	}
	const uint mine = uint(own) | halfBits(found.scale) << 16;
	const uint theirs = superReadXor(uint(neighbours) | halfBits(found.scale) << 16, 1u);
	scale_code = (minima ? theirs : mine) & 0xffffu;
	minimum_code = (minima ? mine : theirs) & 0xffffu;
	return uvec2(minima ? theirs : mine, minima ? mine : theirs) >> 16;
}
#else
/// Weights where no importance is known: the sub-block's root mean square plus the magnitude.
void plainWeights() {
	precise float sum = 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float square = x[i] * x[i];
		sum = sum + square;
	}
	const float average = exactSqrt(exactDivide(sum, 32.0));
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float weight = average + magnitudeOf(x[i]);
		w[i] = weight;
	}
}

/// The super-block's scale is the largest sub-block's over 63; `code` is this sub-block's multiple of it. Returns halves' bits.
uint scaleByMaximum(float own, out uint code, inout uint reasons) {
	const float largest = superMaxPositive(max(own, 0.0));
	const float inverse = largest > 0.0 ? exactDivide(63.0, largest) : 0.0;
	precise float multiple = inverse * own;
	code = min(63u, uint(max(nearest(multiple), 0.0)));
	if (own < 0.0) reasons |= kNoteUncertain;   // a negative scale's code spills into its neighbours in the reference
	return halfBits(exactDivide(largest, 63.0));
}
#endif

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-20), POWER_OF_TWO(-48));

	AffineFit fits[1];
	uint scale_code, minimum_code;
#ifdef IMPORTANCE
	precise float sigma2 = sums[element / 256u] * 2.0;
	sigma2 = sigma2 / 256.0;
	IMPORTANCE_WEIGHTS(32, element % push.row_elements, sigma2)
	searchAffine(fits);
	const uvec2 scales = scalesBySearch(lane, fits[0], scale_code, minimum_code, reasons);
	const uint d = scales.x, dmin = scales.y;
#else
	plainWeights();
	searchAffine(fits);
	const uint d = scaleByMaximum(fits[0].scale, scale_code, reasons);
	const uint dmin = scaleByMaximum(-fits[0].low, minimum_code, reasons);
#endif
	if (fits[0].uncertain) reasons |= kNoteUncertain;
	if (!halfIsFinite(d) || !halfIsFinite(dmin)) reasons |= kNoteScale;

	precise float scale = halfValue(d) * float(scale_code);
	precise float minimum = halfValue(dmin) * float(minimum_code);
	const bool keeps = scale == 0.0;   // then the search's codes stay
	uint word[8];   // codes, one a byte
	uint quotients = 0u;
	[[unroll]] for (int k = 0; k < 8; ++k) {
		uint packed = 0u;
		[[unroll]] for (int b = 0; b < 4; ++b) {
			const float value = x[4 * k + b];
			precise float shifted = value + minimum;
			const float quotient = exactDivide(shifted, keeps ? 1.0 : scale);
			quotients = max(quotients, floatBitsToUint(quotient) & 0x7fffffffu);
			const float code = keeps ? affineCode(value, fits[0].code_inverse, fits[0].code_low) : nearestClamped(quotient, 0, AFFINE_LARGEST);
			packed |= uint(int(code)) << (8 * b);
		}
		word[k] = packed;
	}
	if (quotients > floatBitsToUint(kNearestRange)) reasons |= kNoteUncertain;
	storeSuperBlock(alive, push.output_unit + block * kBlockWords, lane, d | dmin << 16, scale_code, minimum_code, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
