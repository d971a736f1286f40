#version 460
// Best search of IQ4_XS (drawn in quant/iq4_xs.cpp), eight groups of 32 weights, one invocation each.
// Must equal encodeRow() of quant/codec.h with Search::kBest (quant/best_iq4.cpp).
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

float x[32];
#ifdef IMPORTANCE
float w[32];
#endif
#include "include/encode/best.glsl"
#include "include/encode/iq4_nearest.glsl"
#include "include/encode/best_iq4_starts.glsl"

layout(binding = 1, scalar) writeonly buffer Output { uint target[]; };

const uint kBlockWords = 34u;
const int kStartsEach = 8, kPolish = 2;
const int kFirstShare = 58, kShares = 8;

/// A group's own scale, of any precision.
float groupScale(out bool uncertain) {
	const float extreme = signedExtreme();
	const bool zero = magnitudeOf(extreme) < kZeroGroup;
	const float reciprocal = exactDivide(1.0, zero ? 1.0 : extreme);
	float scale = 0.0, best = 0.0;
	[[dont_unroll]] for (int attempt = 0; attempt < 2 * kStartsEach + kPolish; ++attempt) {
		const bool negative = attempt < kStartsEach;
		precise float start = kStartStep * float(attempt - (negative ? 0 : kStartsEach));
		start = negative ? -(kStartNegative + start) : kStartPositive + start;
		precise float inverse = start * reciprocal;
		if (attempt >= 2 * kStartsEach) inverse = inverseOf(scale);
		precise float cross_part[8], square_part[8];
		[[unroll]] for (int i = 0; i < 8; ++i)
			[[unroll]] for (int k = 0; k < 4; ++k) {
				const int j = i + 8 * k;
				precise float quotient = inverse * x[j];
				const float value = iq4Value(quotient);
				precise float a = WEIGH(j, x[j]) * value;
				precise float b = WEIGH(j, value) * value;
				PARTIAL(cross_part, i, k, a);
				PARTIAL(square_part, i, k, b);
			}
		precise float cross = TREE(cross_part);
		precise float square = TREE(square_part);
		const float fitted = square > 0.0 ? exactDivide(cross, square) : 0.0;
		precise float score = fitted * cross;
		if (score > best) {
			scale = fitted;
			best = score;
		}
	}
	uncertain = !zero && !(best >= kSafeScore);
	return zero ? 0.0 : scale;
}

float groupError(float scale) {
	const float inverse = inverseOf(scale);
	precise float error_part[8];
	[[unroll]] for (int i = 0; i < 8; ++i)
		[[unroll]] for (int k = 0; k < 4; ++k) {
			const int j = i + 8 * k;
			precise float quotient = inverse * x[j];
			precise float back = scale * iq4Value(quotient);
			precise float difference = x[j] - back;
			precise float square = WEIGH(j, difference) * difference;
			PARTIAL(error_part, i, k, square);
		}
	precise float error = TREE(error_part);
	return error;
}

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-45), POWER_OF_TWO(-37));
#ifdef IMPORTANCE
	bestWeights(superMaxPositive(loadImportance(element % push.row_elements)));
#endif
	bool uncertain;
	const float own_scale = groupScale(uncertain);

	const float extreme = superExtreme(lane, own_scale);
	float d = 0.0, best = 0.0;
	[[dont_unroll]] for (int i = 0; i < 2 * kShares; ++i) {
		const float share = float(kFirstShare + i % kShares) * 0.015625;
		precise float product = share * extreme;
		const float candidate = asHalf(exactDivide(product, i < kShares ? -32.0 : 31.0));
		precise float multiple = inverseOf(candidate) * own_scale;
		precise float scale = candidate * nearestClamped(multiple, -32, 31);
		const float total = superSum(groupError(scale));
		if (i == 0 || total < best) {
			d = candidate;
			best = total;
		}
	}

	precise float multiple = inverseOf(d) * own_scale;
	const float plain = nearestClamped(multiple, -32, 31);
	float level = plain, error = 0.0;
	[[dont_unroll]] for (int attempt = 0; attempt < 3; ++attempt) {
		const float other = clamp(plain + (attempt == 0 ? 0.0 : attempt == 1 ? -1.0 : 1.0), -32.0, 31.0);
		precise float scale = d * other;
		const float other_error = groupError(scale);
		if (attempt == 0 || other_error < error) {
			level = other;
			error = other_error;
		}
	}
#ifdef IMPORTANCE
	if (largest_magnitude != 0u && !(error >= kSafeError)) uncertain = true;
#endif
	if (uncertain) reasons |= kNoteUncertain;

	precise float scale = d * level;
	const float inverse = inverseOf(scale);
	uint code[32];
	precise float square_part[8], cross_part[8];
	[[unroll]] for (int i = 0; i < 8; ++i)
		[[unroll]] for (int k = 0; k < 4; ++k) {
			const int j = i + 8 * k;
			precise float quotient = inverse * x[j];
			code[j] = iq4Code(quotient);
			precise float a = WEIGH(j, x[j]) * x[j];
			precise float b = WEIGH(j, x[j]) * iq4Value(quotient);
			PARTIAL(square_part, i, k, a);
			PARTIAL(cross_part, i, k, b);
		}
	precise float own_xx = TREE(square_part), own_xy = TREE(cross_part);   // y: as decoded
	own_xy = scale * own_xy;
	const float xx = superSum(own_xx), xy = superSum(own_xy);
	const uint d_bits = bestHalfBits(stretched(d, stretchOf(xx, xy)));
	if (!halfIsFinite(d_bits)) reasons |= kNoteScale;
	const uint scale_code = uint(int(level) + 32);
	const uint scale_low = superOr((scale_code & 15u) << (4u * lane));
	const uint scale_high = superOr((scale_code >> 4) << (2u * lane));
	reasons = superOr(reasons);
	if (!alive) return;
	const uint at = push.output_unit + block * kBlockWords;
	[[unroll]] for (int k = 0; k < 4; ++k) {
		uint word = 0u;
		[[unroll]] for (int b = 0; b < 4; ++b) word |= (code[4 * k + b] | code[4 * k + b + 16] << 4) << (8 * b);
		target[at + 2u + lane * 4u + k] = word;
	}
	if (lane < 2u) target[at + lane] = lane == 0u ? d_bits | scale_high << 16 : scale_low;
	if (lane == 0u && reasons != 0u) note(block, reasons);
}
