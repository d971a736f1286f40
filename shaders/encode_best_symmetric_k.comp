#version 460
// Q3_K and Q6_K by the best search: x ~ d * s_j * q. Must equal searchBestKSymmetric() of quant/best_k_symmetric.h, which says what is searched.
//
// One invocation has two groups of 16 weights. Eight agree on d.
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

#ifdef FORMAT_Q3_K
#include "include/encode/store_q3_k.glsl"
#define LEVELS 4
#define SCALE_LEVELS 32
const int kScaleBias = 32;    // what is stored is s_j + 32
#else
#include "include/encode/store_q6_k.glsl"
#define LEVELS 32
#define SCALE_LEVELS 128
const int kScaleBias = 0;
#endif
#define BEST_PARTS 2
#define BEST_COUNT 16

float x[32], w[32];
#include "include/encode/best_k.glsl"

const int kStarts = 48;
const int kFactors = 8;

float fit_scale[BEST_PARTS];
float best_scale[BEST_PARTS];   // whole numbers, of the d tried last
float kept_scale[BEST_PARTS];   // of the best d so far

/// Weighted sums over group p: of its weights times their levels, and of the levels' squares.
void sumLevels(int p, float inverse, out float sum_xl, out float sum_ll) {
	precise float cross[4] = {0.0, 0.0, 0.0, 0.0}, square[4] = {0.0, 0.0, 0.0, 0.0};
	[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
		const int i = p * BEST_COUNT + j;
		precise float multiple = x[i] * inverse;
		const float level = nearestClamped(multiple, -LEVELS, LEVELS - 1);
		const float product = weighed(i, level);
		precise float a = product * x[i], b = product * level;
		cross[j & 3] = cross[j & 3] + a;
		square[j & 3] = square[j & 3] + b;
	}
	precise float total_xl = SUM4(cross), total_ll = SUM4(square);
	sum_xl = total_xl;
	sum_ll = total_ll;
}

/// The scale of each group alone. The two go through the starts together: the sums of one fill the gaps of the other's.
void fitGroups() {
	float extreme[BEST_PARTS], best[BEST_PARTS];
	bool empty[BEST_PARTS];
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		extreme[p] = 0.0;
		uint magnitude = 0u;
		[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
			const float value = x[p * BEST_COUNT + j];
			const uint size = floatBitsToUint(value) & 0x7fffffffu;
			extreme[p] = size > magnitude ? value : extreme[p];
			magnitude = max(magnitude, size);
		}
		empty[p] = magnitude == 0u;
		if (empty[p]) extreme[p] = 1.0;
		fit_scale[p] = exactDivide(extreme[p], -float(LEVELS));
		best[p] = kLowest;
	}
	[[dont_unroll]] for (int start = 0; start < kStarts + 1; ++start) {
		const bool again = start == kStarts;   // rounds the best fit so far
		precise float away = 0.1 * float(start / 2);
		away = 1.4 - away;
		precise float below = away - float(LEVELS);
		precise float above = float(LEVELS - 1) - away;
		const float aim = (start & 1) != 0 ? above : below;
		[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
			const float inverse = exactDivide(again ? 1.0 : aim, again ? fit_scale[p] : extreme[p]);
			float sum_xl, sum_ll;
			sumLevels(p, inverse, sum_xl, sum_ll);
			const float fitted = exactDivide(sum_xl, sum_ll);
			precise float gain = fitted * sum_xl;
			if (sum_ll > 0.0 && fitted != 0.0 && gain > best[p]) {
				best[p] = gain;
				fit_scale[p] = fitted;
			}
		}
	}
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) fit_scale[p] = empty[p] ? 0.0 : fit_scale[p];
}

/// The groups' whole numbers for d: the nearest, or with a reach the best of those around. Returns the error of both.
float chooseScales(float d, float inverse_d, int reach) {
	float middle[BEST_PARTS], least[BEST_PARTS];
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		precise float multiple = fit_scale[p] * inverse_d;
		middle[p] = nearestClamped(multiple, -SCALE_LEVELS, SCALE_LEVELS - 1);
		least[p] = 0.0;
	}
	[[dont_unroll]] for (int ds = -reach; ds <= reach; ++ds) {
		[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
			const float s = clamp(middle[p] + float(ds), -float(SCALE_LEVELS), float(SCALE_LEVELS - 1));
			precise float stored_scale = d * s;
			const float inverse = inverseOf(stored_scale);
			precise float errors[4] = {0.0, 0.0, 0.0, 0.0};
			[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
				const int i = p * BEST_COUNT + j;
				precise float multiple = x[i] * inverse;
				const float level = nearestClamped(multiple, -LEVELS, LEVELS - 1);
				precise float difference = stored_scale * level;
				difference = difference - x[i];
				precise float square = difference * difference;
				errors[j & 3] = errors[j & 3] + weighed(i, square);
			}
			precise float total = SUM4(errors);
			if (ds == -reach || total < least[p]) {
				least[p] = total;
				best_scale[p] = s;
			}
		}
	}
	precise float both = least[0] + least[1];
	return both;
}

/// sumLevels() of group p for the codes that the best d so far leads to.
void sumKept(int p, float d, out float sum_xl, out float sum_ll) {
	precise float stored_scale = d * kept_scale[p];
	sumLevels(p, inverseOf(stored_scale), sum_xl, sum_ll);
}

/// d by least squares for the codes that the best d so far has led to: stays as it is where that cannot be done.
void refit(inout float d) {
	precise float own_ss = 0.0, own_xs = 0.0;
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		const float s = kept_scale[p];
		float sum_xl, sum_ll;
		sumKept(p, d, sum_xl, sum_ll);
		precise float ss = sum_ll, xs = sum_xl;
		ss = ss * s;
		ss = ss * s;
		xs = xs * s;
		own_ss = own_ss + ss;
		own_xs = own_xs + xs;
	}
	const float ss = superSum(own_ss), xs = superSum(own_xs);
	const float fitted = asHalf(exactDivide(xs, ss));
	if (ss > 0.0 && fitted != 0.0) d = fitted;
}

uint stored(float unit, int factor) {
	precise float more = 0.02 * float(factor);
	precise float times = 0.9 + more;
	precise float value = unit * times;
	return bestHalfBits(value);
}

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-20), POWER_OF_TWO(-48));
#ifdef IMPORTANCE
	bestWeights(superMaxPositive(loadImportance(element % push.row_elements)));
#endif
	fitGroups();

	const float extreme = superExtreme(lane, magnitudeOf(fit_scale[1]) > magnitudeOf(fit_scale[0]) ? fit_scale[1] : fit_scale[0]);
	const float unit = exactDivide(extreme, -float(SCALE_LEVELS));
	if (!halfIsFinite(stored(unit, kFactors - 1))) reasons |= kNoteScale;

	float least = 0.0, d = 0.0;   // of the best so far
	[[dont_unroll]] for (int round = 0; round <= kFactors + kRefits; ++round) {
		float new_d = d;   // the first round after the factors looks closer at the best of them
		if (round < kFactors) new_d = halfValue(stored(unit, round));
		else if (round > kFactors) refit(new_d);
		// Factors are compared by the nearest whole numbers alone. The last round looks furthest.
		const float total = superSum(chooseScales(new_d, inverseOf(new_d), round < kFactors ? 0 : round < kFactors + kRefits ? 1 : 2));
		if (round == 0 || total < least) {
			least = total;
			d = new_d;
			[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) kept_scale[p] = best_scale[p];
		}
	}

	uint word[8];   // codes, one a byte
	uint scale_codes = 0u;
	precise float own_xx = 0.0, own_xy = 0.0;   // y: as decoded
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		scale_codes |= (uint(int(kept_scale[p]) + kScaleBias) & 0xffu) << (8 * p);
		precise float stored_scale = d * kept_scale[p];
		const float inverse = inverseOf(stored_scale);
		[[unroll]] for (int k = 4 * p; k < 4 * (p + 1); ++k) {
			uint packed = 0u;
			[[unroll]] for (int b = 0; b < 4; ++b) {
				precise float multiple = x[4 * k + b] * inverse;
				packed |= uint(int(nearestClamped(multiple, -LEVELS, LEVELS - 1)) + LEVELS) << (8 * b);
			}
			word[k] = packed;
		}
		precise float squares[4] = {0.0, 0.0, 0.0, 0.0};
		[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
			const int i = p * BEST_COUNT + j;
			precise float square = weighed(i, x[i]) * x[i];
			squares[j & 3] = squares[j & 3] + square;
		}
		float sum_xl, sum_ll;
		sumKept(p, d, sum_xl, sum_ll);
		precise float xx = SUM4(squares), xy = stored_scale * sum_xl;
		own_xx = own_xx + xx;
		own_xy = own_xy + xy;
	}
	const float xx = superSum(own_xx), xy = superSum(own_xy);
	storeSuperBlock(alive, push.output_unit + block * kBlockHalves, lane, bestHalfBits(stretched(d, stretchOf(xx, xy))), scale_codes, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
