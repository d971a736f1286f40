#version 460
// Best search of blocks of 32 weights, one invocation each: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL, MXFP4 (drawn in quant/q4_0.cpp, ...).
// Must equal encodeRow() of quant/codec.h with Search::kBest (quant/best_*.cpp).
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

float x[32];
uint code[32];
#ifdef IMPORTANCE
float w[32];
#endif
#include "include/encode/best.glsl"
#include "include/encode/pack_block.glsl"

// Weights that are judged by their errors must not have errors whose squares vanish: these are no smaller than a weight's last bit.
#if defined(FORMAT_Q8_0) || defined(FORMAT_MXFP4)
const uint kSmallest = POWER_OF_TWO(-37);
#else
const uint kSmallest = 1u;
#endif

#if defined(FORMAT_Q4_0) || defined(FORMAT_Q5_0) || defined(FORMAT_IQ4_NL)
	#include "include/encode/store16.glsl"
	#ifdef FORMAT_IQ4_NL
		#include "include/encode/iq4_nearest.glsl"
		const uint kBlockUnits = 9u;
		const float kLowest = -127.0;
		#define NEAREST(q) iq4Value(q)
		#include "include/encode/best_iq4_starts.glsl"
	#else
		#ifdef FORMAT_Q4_0
			const int kLevels = 8;
			const uint kBlockUnits = 9u;
		#else
			const int kLevels = 16;
			const uint kBlockUnits = 11u;
		#endif
		const float kLowest = -float(kLevels);
		#define NEAREST(q) nearestClamped(q, -kLevels, kLevels - 1)
		const float kStartNegative = float(kLevels) - 0.75, kStartPositive = float(kLevels) - 1.75, kStartStep = 0.25;
	#endif
	#include "include/encode/best_symmetric.glsl"

	uint encodeBlock(uint at) {
		const float extreme = signedExtreme();
		const BestScale best = bestSymmetricScale(extreme, asHalf(exactDivide(extreme, kLowest)));
		const float inverse = inverseOf(best.d);
		precise float square_part[8], cross_part[8];
		[[unroll]] for (int i = 0; i < 8; ++i)
			[[unroll]] for (int k = 0; k < 4; ++k) {
				const int j = i + 8 * k;
				precise float quotient = inverse * x[j];
				const float value = NEAREST(quotient);
	#ifdef FORMAT_IQ4_NL
				code[j] = iq4Code(quotient);
	#else
				code[j] = uint(int(value) + kLevels);
	#endif
				precise float a = WEIGH(j, x[j]) * x[j];
				precise float b = WEIGH(j, x[j]) * value;
				PARTIAL(square_part, i, k, a);
				PARTIAL(cross_part, i, k, b);
			}
		precise float square = TREE(square_part), cross = TREE(cross_part);
		cross = best.d * cross;
		const uint d = bestHalfBits(stretched(best.d, stretchOf(square, cross)));
		storeHalf(at, d);
	#ifdef FORMAT_Q5_0
		storeWord(at + 1u, fifthBits());
	#endif
		[[unroll]] for (int k = 0; k < 4; ++k) storeWord(at + kBlockUnits - 8u + 2u * k, nibbleWord(k));
		return (best.uncertain ? kNoteUncertain : 0u) | (halfIsFinite(d) ? 0u : kNoteScale);
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
	#include "include/encode/best_affine.glsl"

	uint encodeBlock(uint at) {
		const BestAffine best = bestAffine();
		const uint d = halfBits(best.d), m = halfBits(best.m);
		target[at] = d | m << 16;
	#ifdef FORMAT_Q5_1
		target[at + 1u] = fifthBits();
	#endif
		[[unroll]] for (int k = 0; k < 4; ++k) target[at + kBlockUnits - 4u + k] = nibbleWord(k);
		return (best.uncertain ? kNoteUncertain : 0u) | (halfIsFinite(d) && halfIsFinite(m) ? 0u : kNoteScale);
	}
#elif defined(FORMAT_Q8_0)
	#include "include/encode/store16.glsl"
	const uint kBlockUnits = 17u;
	const int kStarts = 17;

	/// Equals encodeBlock() of quant/best_q8_0.cpp.
	uint encodeBlock(uint at) {
		float d = 0.0, best = 0.0;
		[[dont_unroll]] for (int start = 0; start < kStarts; ++start) {
			const float scale = asHalf(exactDivide(uintBitsToFloat(largest_magnitude), 128.0 - 0.125 * float(start)));
			const float inverse = inverseOf(scale);
			precise float error_part[8];
			[[unroll]] for (int i = 0; i < 8; ++i)
				[[unroll]] for (int k = 0; k < 4; ++k) {
					const int j = i + 8 * k;
					precise float quotient = inverse * x[j];
					precise float back = scale * nearestClamped(quotient, -127, 127);
					precise float difference = x[j] - back;
					precise float square = WEIGH(j, difference) * difference;
					PARTIAL(error_part, i, k, square);
				}
			precise float error = TREE(error_part);
			if (start == 0 || error < best) {
				d = scale;
				best = error;
			}
		}
		const float inverse = inverseOf(d);
		const uint d_bits = halfBits(d);
		storeHalf(at, d_bits);
		[[unroll]] for (int k = 0; k < 16; ++k) {
			precise float first = inverse * x[2 * k];
			precise float second = inverse * x[2 * k + 1];
			storeHalf(at + 1u + k, (uint(int(nearestClamped(first, -127, 127))) & 0xffu) | (uint(int(nearestClamped(second, -127, 127))) & 0xffu) << 8);
		}
		uint reasons = halfIsFinite(d_bits) ? 0u : kNoteScale;
	#ifdef IMPORTANCE
		if (largest_magnitude != 0u && !(best >= kSafeError)) reasons |= kNoteUncertain;
	#endif
		return reasons;
	}
#elif defined(FORMAT_MXFP4)
	layout(binding = 1, scalar) writeonly buffer Output { uint8_t target[]; };
	const uint kBlockUnits = 17u;
	#include "include/encode/mxfp4_exponent.glsl"

	/// How many middles between neighbouring values the magnitude is above, those after code 4 counted as `second` and `last` say.
	int aboveMiddles(float magnitude, float scale, int second, int last) {
		precise float middle[7] = float[](0.5 * scale, 1.5 * scale, 2.5 * scale, 3.5 * scale, 5.0 * scale, 7.0 * scale, 10.0 * scale);
		return int(magnitude > middle[0]) + int(magnitude > middle[1]) + int(magnitude > middle[2]) + int(magnitude > middle[3]) +
		       second * (int(magnitude > middle[4]) + int(magnitude > middle[5])) + last * int(magnitude > middle[6]);
	}

	/// Weights over half the scale's unit.
	float blockScale(uint exponent) { return uintBitsToFloat((max(exponent, 1u) - 1u) << 23); }

	/// Equals encodeBlock() of quant/best_mxfp4.cpp.
	uint encodeBlock(uint at) {
		const uint plain = blockExponent(largest_magnitude);
		uint exponent = plain;
		float best = 0.0;
		[[dont_unroll]] for (int attempt = 0; attempt < 3; ++attempt) {
			const uint candidate = uint(clamp(int(plain) + (attempt == 2 ? -1 : attempt), 0, 254));
			const float scale = blockScale(candidate);
			precise float error_part[8];
			[[unroll]] for (int i = 0; i < 8; ++i)
				[[unroll]] for (int k = 0; k < 4; ++k) {
					const int j = i + 8 * k;
					const float magnitude = magnitudeOf(x[j]);
					precise float back = scale * float(aboveMiddles(magnitude, scale, 2, 4));
					precise float difference = magnitude - back;
					precise float square = WEIGH(j, difference) * difference;
					PARTIAL(error_part, i, k, square);
				}
			precise float error = TREE(error_part);
			if (attempt == 0 || error < best) {
				exponent = candidate;
				best = error;
			}
		}
		const float scale = blockScale(exponent);
		[[unroll]] for (int j = 0; j < 32; ++j) {
			const int nearest_code = aboveMiddles(magnitudeOf(x[j]), scale, 1, 1);
			code[j] = uint(nearest_code) | (x[j] < 0.0 && nearest_code != 0 ? 8u : 0u);
		}
		target[at] = uint8_t(exponent);
		[[unroll]] for (int k = 0; k < 16; ++k) target[at + 1u + k] = uint8_t(code[k] | code[k + 16] << 4);
	#ifdef IMPORTANCE
		if (largest_magnitude != 0u && !(best >= kSafeError)) return kNoteUncertain;
	#endif
		return 0u;
	}
#endif

void main() {
	const uint block = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
	if (block >= push.units) return;
	LOAD_WEIGHTS(x, 32, block * 32u)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-45), kSmallest);
#ifdef IMPORTANCE
	bestWeights(loadImportance((block * 32u) % push.row_elements));
#endif
	reasons |= encodeBlock(push.output_unit + block * kBlockUnits);
	if (reasons != 0u) note(block, reasons);
}
