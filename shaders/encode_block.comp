#version 460
// Blocks of 32 weights, one invocation each: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, MXFP4 (drawn in quant/q4_0.cpp, ...).
// Must equal encodeRow() of quant/codec.h.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#include "shared/encode.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { EncodePush push; };

#include "include/exact.glsl"
#include "include/encode/source.glsl"
#include "include/encode/notes.glsl"

float x[32], w[32];
uint code[32];

/// The weight of largest magnitude, with its sign; the first of equals.
float signedExtreme() {
	uint magnitude = 0u;
	float extreme = 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = max(magnitude, size);
	}
	return extreme;
}

/// Codes of 0 .. 2 * levels - 1 around `levels`, the extreme at 0. Returns the scale.
float roundSymmetric(int levels) {
	const float d = exactDivide(signedExtreme(), -float(levels));
	const float inverse = d != 0.0 ? exactDivide(1.0, d) : 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float shifted = x[i] * inverse;
		shifted = shifted + (float(levels) + 0.5);
		code[i] = min(uint(int(shifted)), uint(2 * levels - 1));
	}
	return d;
}

/// Codes of 0 .. largest over the range of the weights. Returns the scale.
float roundAffine(int largest, out float low) {
	int low_key = ordered(x[0]), high_key = low_key;
	[[unroll]] for (int i = 1; i < 32; ++i) {
		low_key = min(low_key, ordered(x[i]));
		high_key = max(high_key, ordered(x[i]));
	}
	low = unordered(low_key);
	precise float range = unordered(high_key) - low;
	const float d = exactDivide(range, float(largest));
	const float inverse = d != 0.0 ? exactDivide(1.0, d) : 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float shifted = x[i] - low;
		shifted = shifted * inverse;
		shifted = shifted + 0.5;
		code[i] = min(uint(int(shifted)), uint(largest));
	}
	return d;
}

#ifdef IMPORTANCE
#include "include/encode/importance.glsl"

float blockSigma2(uint block) {
#ifdef FORMAT_IQ4_NL
	precise float sum = 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float square = x[i] * x[i];
		sum = sum + square;
	}
	return sum * (2.0 / 32.0);
#else
	return exactDivide(sums[block * 32u / push.row_elements], float(push.row_elements));   // of the whole row
#endif
}
#endif

// Bounds between which nothing subnormal arises: of the largest magnitude, and of the others that are not zero.
#if defined(FORMAT_Q4_1) || defined(FORMAT_Q5_1)
const int kLeastExtreme = -20;
#elif defined(IMPORTANCE) || defined(FORMAT_IQ4_NL)
const int kLeastExtreme = -45;
#else
const int kLeastExtreme = -80;
#endif
#if defined(IMPORTANCE) || defined(FORMAT_IQ4_NL)
const uint kSmallest = POWER_OF_TWO(-42);
#else
const uint kSmallest = 1u;
#endif

#include "include/encode/pack_block.glsl"

#if defined(FORMAT_Q4_0) || defined(FORMAT_Q5_0)
	#include "include/encode/store16.glsl"
	#ifdef FORMAT_Q4_0
		const int kLevels = 8;
		const uint kBlockUnits = 9u;
	#else
		const int kLevels = 16;
		const uint kBlockUnits = 11u;
	#endif
	#define SYMMETRIC_GROUPS 1
	#define SYMMETRIC_COUNT 32
	#ifdef IMPORTANCE
		#include "include/encode/search_symmetric.glsl"
	#endif

	uint encodeBlock(uint at) {
		uint reasons = 0u;
	#ifdef IMPORTANCE
		SymmetricFit fits[1];
		searchSymmetric(kLevels, 1, fits);
		const SymmetricFit fit = fits[0];
		[[unroll]] for (int i = 0; i < 32; ++i) code[i] = symmetricCode(kLevels, fit, x[i]);
		if (fit.uncertain) reasons |= kNoteUncertain;
		const uint d = halfBits(fit.scale);
	#else
		const uint d = halfBits(roundSymmetric(kLevels));
	#endif
		storeHalf(at, d);
	#ifdef FORMAT_Q5_0
		storeWord(at + 1u, fifthBits());
	#endif
		[[unroll]] for (int k = 0; k < 4; ++k) storeWord(at + kBlockUnits - 8u + 2u * k, nibbleWord(k));
		return halfIsFinite(d) ? reasons : reasons | kNoteScale;
	}
#elif defined(FORMAT_Q4_1) || defined(FORMAT_Q5_1)
	layout(binding = 1, scalar) writeonly buffer Output { uint target[]; };
	#ifdef FORMAT_Q4_1
		#define AFFINE_LARGEST 15
		const uint kBlockUnits = 5u;
	#else
		#define AFFINE_LARGEST 31
		const uint kBlockUnits = 6u;
	#endif
	#ifdef IMPORTANCE
		#define AFFINE_GROUPS 1
		#define AFFINE_COUNT 32
		#define AFFINE_FIRST -0.9
		#define AFFINE_STEP 0.05
		#define AFFINE_STEPS 36
		#define AFFINE_CLAMPS_FIRST
		#include "include/encode/search_affine.glsl"
	#endif

	uint encodeBlock(uint at) {
		uint reasons = 0u;
		float low;
	#ifdef IMPORTANCE
		AffineFit fits[1];
		searchAffine(fits);
		const AffineFit fit = fits[0];
		low = fit.low;
		[[unroll]] for (int i = 0; i < 32; ++i) code[i] = uint(affineCode(x[i], fit.code_inverse, fit.code_low));
		if (fit.uncertain) reasons |= kNoteUncertain;
		const uint d = halfBits(fit.scale);
	#else
		const uint d = halfBits(roundAffine(AFFINE_LARGEST, low));
	#endif
		const uint m = halfBits(low);
		if (floatBitsToUint(low) == 0x80000000u) reasons |= kNoteUncertain;   // zeros of both signs: the first one's is kept
		target[at] = d | m << 16;
	#ifdef FORMAT_Q5_1
		target[at + 1u] = fifthBits();
	#endif
		[[unroll]] for (int k = 0; k < 4; ++k) target[at + kBlockUnits - 4u + k] = nibbleWord(k);
		return halfIsFinite(d) && halfIsFinite(m) ? reasons : reasons | kNoteScale;
	}
#elif defined(FORMAT_Q8_0)
	#include "include/encode/store16.glsl"
	const uint kBlockUnits = 17u;

	/// To the nearest integer, ties away from zero: adding the largest float below a half, with the sign, before the cut.
	int roundAway(float v) {
		precise float shifted = v + uintBitsToFloat((floatBitsToUint(v) & 0x80000000u) | 0x3effffffu);
		return int(shifted);
	}

	uint encodeBlock(uint at) {
		const float d = exactDivide(uintBitsToFloat(largest_magnitude), 127.0);
		const float inverse = d != 0.0 ? exactDivide(1.0, d) : 0.0;
		const uint d_bits = halfBits(d);
		storeHalf(at, d_bits);
		[[unroll]] for (int k = 0; k < 16; ++k) {
			precise float first = x[2 * k] * inverse;
			precise float second = x[2 * k + 1] * inverse;
			storeHalf(at + 1u + k, (uint(roundAway(first)) & 0xffu) | (uint(roundAway(second)) & 0xffu) << 8);
		}
		return halfIsFinite(d_bits) ? 0u : kNoteScale;
	}
#elif defined(FORMAT_IQ4_NL)
	#include "include/encode/store16.glsl"
	#include "include/encode/search_iq4.glsl"
	const uint kBlockUnits = 9u;

	uint encodeBlock(uint at) {
		const Iq4Fit fit = searchIq4();
		const float inverse = fit.scale != 0.0 ? exactDivide(1.0, fit.scale) : 0.0;   // of the scale before it became a half
		[[unroll]] for (int i = 0; i < 32; ++i) {
			precise float quotient = inverse * x[i];
			code[i] = iq4Code(quotient);
		}
		const uint d = halfBits(fit.scale);
		storeHalf(at, d);
		[[unroll]] for (int k = 0; k < 4; ++k) storeWord(at + 1u + 2u * k, nibbleWord(k));
		return (fit.uncertain ? kNoteUncertain : 0u) | (halfIsFinite(d) ? 0u : kNoteScale);
	}
#elif defined(FORMAT_MXFP4)
	layout(binding = 1, scalar) writeonly buffer Output { uint8_t target[]; };
	const uint kBlockUnits = 17u;
	#include "include/encode/mxfp4_exponent.glsl"

	uint encodeBlock(uint at) {
		const uint exponent = blockExponent(largest_magnitude);
		// Weights over half the scale's unit: powers of two, exact. Codes are 0 1 2 3 4 6 8 12 and their negatives.
		const float scale = uintBitsToFloat((max(exponent, 1u) - 1u) << 23);
		[[unroll]] for (int i = 0; i < 32; ++i) {
			const float size = magnitudeOf(x[i]);
			uint nearest_code = 0u;
			float distance = size;
			[[unroll]] for (int k = 1; k < 8; ++k) {
				const float values[8] = float[](0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0);
				precise float other = values[k] * scale;
				other = magnitudeOf(other - size);
				const bool nearer = other < distance;
				nearest_code = nearer ? uint(k) : nearest_code;
				distance = nearer ? other : distance;
			}
			code[i] = nearest_code | (x[i] < 0.0 && nearest_code != 0u ? 8u : 0u);
		}
		target[at] = uint8_t(exponent);
		[[unroll]] for (int k = 0; k < 16; ++k) target[at + 1u + k] = uint8_t(code[k] | code[k + 16] << 4);
		return 0u;
	}
#endif

void main() {
	const uint block = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
	if (block >= push.units) return;
	LOAD_WEIGHTS(x, 32, block * 32u)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(kLeastExtreme), kSmallest);
#ifdef IMPORTANCE
	IMPORTANCE_WEIGHTS(32, (block * 32u) % push.row_elements, blockSigma2(block))
#elif defined(FORMAT_IQ4_NL)
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float square = x[i] * x[i];
		w[i] = square;
	}
#endif
	reasons |= encodeBlock(push.output_unit + block * kBlockUnits);
	if (reasons != 0u) note(block, reasons);
}
