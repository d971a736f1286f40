#version 460
// Q2_K, Q4_K and Q5_K by the best search: x ~ d * s_j * q - dmin * m_j. Must equal searchBestKAffine() of quant/best_k_affine.h, which says what
// is searched.
//
// One invocation has 32 weights: a group, or two. Eight agree on d and dmin.
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

#if defined(FORMAT_Q4_K)
#include "include/encode/store_q4_k.glsl"
#define BEST_PARTS 1
#define LARGEST_CODE 15
#define LARGEST_SCALE 63
#elif defined(FORMAT_Q5_K)
#include "include/encode/store_q5_k.glsl"
#define BEST_PARTS 1
#define LARGEST_CODE 31
#define LARGEST_SCALE 63
#else
#include "include/encode/store_q2_k.glsl"
#define BEST_PARTS 2
#define LARGEST_CODE 3
#define LARGEST_SCALE 15
#endif
#define BEST_COUNT (32 / BEST_PARTS)

float x[32], w[32];
#include "include/encode/best_k.glsl"

const int kShifts = 5, kStarts = 6 * kShifts;
const int kFactors = 4;
const float kFactor[kFactors] = {0.94, 0.97, 1.0, 1.03};

float fit_scale[BEST_PARTS], fit_low[BEST_PARTS], mean_code[BEST_PARTS];
float sum_w[BEST_PARTS], sum_x[BEST_PARTS], sum_xx[BEST_PARTS];
float best_scale[BEST_PARTS], best_minimum[BEST_PARTS];   // whole numbers, of the pair of d and dmin tried last
float kept_scale[BEST_PARTS], kept_minimum[BEST_PARTS];   // of the best pair so far

/// Weighted sums over group p: of the codes of its weights, their squares, and the codes times the weights.
void sumCodes(int p, float from, float inverse, out float sum_l, out float sum_ll, out float sum_xl) {
	precise float sums_l[4] = {0.0, 0.0, 0.0, 0.0}, sums_ll[4] = {0.0, 0.0, 0.0, 0.0}, sums_xl[4] = {0.0, 0.0, 0.0, 0.0};
	[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
		const int i = p * BEST_COUNT + j;
		precise float multiple = x[i] - from;
		multiple = multiple * inverse;
		const float code = nearestClamped(multiple, 0, LARGEST_CODE);
		const float product = weighed(i, code);
		precise float square = product * code;
		precise float cross = product * x[i];
		sums_l[j & 3] = sums_l[j & 3] + product;
		sums_ll[j & 3] = sums_ll[j & 3] + square;
		sums_xl[j & 3] = sums_xl[j & 3] + cross;
	}
	precise float total_l = SUM4(sums_l), total_ll = SUM4(sums_ll), total_xl = SUM4(sums_xl);
	sum_l = total_l;
	sum_ll = total_ll;
	sum_xl = total_xl;
}

/// The scale and minimum of each group alone.
void fitGroups() {
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		int low_key = 0x7fffffff, high_key = ~0x7fffffff;
		precise float sums_w[4] = {0.0, 0.0, 0.0, 0.0}, sums_x[4] = {0.0, 0.0, 0.0, 0.0}, sums_xx[4] = {0.0, 0.0, 0.0, 0.0};
		[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
			const int i = p * BEST_COUNT + j;
			low_key = min(low_key, ordered(x[i]));
			high_key = max(high_key, ordered(x[i]));
			sums_w[j & 3] = sums_w[j & 3] + weighed(i, 1.0);
			const float product = weighed(i, x[i]);
			precise float square = product * x[i];
			sums_x[j & 3] = sums_x[j & 3] + product;
			sums_xx[j & 3] = sums_xx[j & 3] + square;
		}
		precise float total_w = SUM4(sums_w);
		precise float total_x = SUM4(sums_x);
		precise float total_xx = SUM4(sums_xx);
		sum_w[p] = total_w;
		sum_x[p] = total_x;
		sum_xx[p] = total_xx;
		float lowest = unordered(low_key);
		const float highest = unordered(high_key);
		lowest = lowest > 0.0 ? 0.0 : lowest;
		const bool flat_group = highest <= lowest;
		precise float range = highest - lowest;
		if (flat_group) range = 1.0;
		float scale = exactDivide(range, float(LARGEST_CODE));
		float low = lowest, mean = 0.0, best = kLowest;
		[[dont_unroll]] for (int start = 0; start < kStarts + 1; ++start) {
			const bool again = start == kStarts;   // rounds the best fit so far
			precise float steps = 0.5 * float(start / kShifts);
			steps = (float(LARGEST_CODE) + 0.75) - steps;
			precise float shift = steps - float(LARGEST_CODE), aside = 0.2 * float(start % kShifts);
			shift = 0.5 * shift;
			aside = aside - 0.4;
			shift = shift + aside;
			const float inverse = exactDivide(again ? 1.0 : steps, again ? scale : range);
			precise float from = shift * exactDivide(range, steps);
			from = lowest + from;
			float sum_l, sum_ll, sum_xl;
			sumCodes(p, again ? low : from, inverse, sum_l, sum_ll, sum_xl);
			precise float a = total_w * sum_ll, b = sum_l * sum_l;
			precise float determinant = a - b;
			precise float c = sum_ll * total_x, e = sum_l * sum_xl;
			precise float low_part = c - e;
			const float free_low = exactDivide(low_part, determinant);
			const bool from_zero = free_low > 0.0;
			precise float f = total_w * sum_xl, g = total_x * sum_l;
			precise float scale_part = f - g;
			const float new_scale = exactDivide(from_zero ? sum_xl : scale_part, from_zero ? sum_ll : determinant);
			const float new_low = from_zero ? 0.0 : free_low;
			// How much less the error is than with all codes zero.
			precise float gain_scale = new_scale * sum_xl, gain_low = new_low * total_x;
			precise float gain = gain_scale + gain_low;
			if (determinant > 0.0 && new_scale > 0.0 && gain > best) {
				best = gain;
				scale = new_scale;
				low = new_low;
				mean = exactDivide(sum_l, total_w);
			}
		}
		fit_scale[p] = flat_group ? 0.0 : scale;
		fit_low[p] = flat_group ? lowest : low;
		mean_code[p] = mean;
	}
}

/// One group's whole numbers for d and dmin: the nearest, or with a reach the best of those around. Returns its error.
float chooseScales(int p, float d, float dmin, float inverse_d, float inverse_dmin, int reach) {
	precise float multiple = fit_scale[p] * inverse_d;
	const float middle = nearestClamped(multiple, 0, LARGEST_SCALE);
	float least = 0.0;
	[[dont_unroll]] for (int ds = -reach; ds <= reach; ++ds) {
		const float s = clamp(middle + float(ds), 0.0, float(LARGEST_SCALE));
		precise float stored_scale = d * s;
		const float inverse = inverseOf(stored_scale);
		// With another scale the best offset is another.
		precise float offset = stored_scale - fit_scale[p];
		offset = offset * mean_code[p];
		offset = offset - fit_low[p];
		offset = offset * inverse_dmin;
		const float middle_minimum = nearestClamped(offset, 0, LARGEST_SCALE);
		[[dont_unroll]] for (int dm = -reach; dm <= reach; ++dm) {
			const float m = clamp(middle_minimum + float(dm), 0.0, float(LARGEST_SCALE));
			precise float stored_minimum = dmin * m;
			precise float errors[4] = {0.0, 0.0, 0.0, 0.0};
			[[unroll]] for (int j = 0; j < BEST_COUNT; ++j) {
				const int i = p * BEST_COUNT + j;
				precise float shifted = x[i] + stored_minimum;
				shifted = shifted * inverse;
				const float code = nearestClamped(shifted, 0, LARGEST_CODE);
				precise float difference = stored_scale * code;
				difference = difference - stored_minimum;
				difference = difference - x[i];
				precise float square = difference * difference;
				errors[j & 3] = errors[j & 3] + weighed(i, square);
			}
			precise float total = SUM4(errors);
			const bool first = ds == -reach && dm == -reach;
			if (first || total < least) {
				least = total;
				best_scale[p] = s;
				best_minimum[p] = m;
			}
		}
	}
	return least;
}

/// sumCodes() of group p for the codes that the best pair so far leads to.
void sumKept(int p, float d, float dmin, out float sum_l, out float sum_ll, out float sum_xl) {
	precise float stored_scale = d * kept_scale[p];
	precise float stored_minimum = dmin * kept_minimum[p];
	sumCodes(p, -stored_minimum, inverseOf(stored_scale), sum_l, sum_ll, sum_xl);
}

/// d and dmin by least squares for the codes that the best pair so far has led to: stay as they are where that cannot be done.
void refit(inout float d, inout float dmin) {
	precise float own_ss = 0.0, own_sm = 0.0, own_mm = 0.0, own_xs = 0.0, own_xm = 0.0;
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		const float s = kept_scale[p], m = kept_minimum[p];
		float sum_l, sum_ll, sum_xl;
		sumKept(p, d, dmin, sum_l, sum_ll, sum_xl);
		precise float ss = sum_ll, sm = sum_l, mm = sum_w[p] * m, xs = sum_xl, xm = sum_x[p] * m;
		ss = ss * s;
		ss = ss * s;
		sm = sm * s;
		sm = sm * m;
		mm = mm * m;
		xs = xs * s;
		own_ss = own_ss + ss;
		own_sm = own_sm + sm;
		own_mm = own_mm + mm;
		own_xs = own_xs + xs;
		own_xm = own_xm + xm;
	}
	const float ss = superSum(own_ss), sm = superSum(own_sm), mm = superSum(own_mm), xs = superSum(own_xs), xm = superSum(own_xm);
	precise float determinant = ss * mm, sm_squared = sm * sm;
	determinant = determinant - sm_squared;
	precise float d_part = xs * mm, d_rest = sm * xm;
	d_part = d_part - d_rest;
	precise float dmin_part = sm * xs, dmin_rest = ss * xm;
	dmin_part = dmin_part - dmin_rest;
	const float fitted_d = asHalf(exactDivide(d_part, determinant));
	const float fitted_dmin = asHalf(exactDivide(dmin_part, determinant));
	if (determinant > 0.0 && fitted_d > 0.0 && fitted_dmin >= 0.0) {
		d = fitted_d;
		dmin = fitted_dmin;
	}
}

/// The most that any group needs, over the largest whole number, times a factor: as a half's bits.
uint stored(float unit, int factor) {
	precise float value = unit * kFactor[factor];
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

	float most_scale = fit_scale[0], most_offset = -fit_low[0];
#if BEST_PARTS == 2
	most_scale = max(most_scale, fit_scale[1]);
	most_offset = max(most_offset, -fit_low[1]);
#endif
	const float unit = exactDivide(superMaxPositive(max(most_scale, 0.0)), float(LARGEST_SCALE));
	const float minimum_unit = exactDivide(superMaxPositive(max(most_offset, 0.0)), float(LARGEST_SCALE));
	if (!halfIsFinite(stored(unit, kFactors - 1)) || !halfIsFinite(stored(minimum_unit, kFactors - 1))) reasons |= kNoteScale;

	float least = 0.0, d = 0.0, dmin = 0.0;   // of the best so far
	const int pairs = kFactors * kFactors;
	[[dont_unroll]] for (int round = 0; round <= pairs + kRefits; ++round) {
		float new_d = d, new_dmin = dmin;   // the first round after the pairs looks closer at the best of them
		if (round < pairs) {
			new_d = halfValue(stored(unit, round / kFactors));
			new_dmin = halfValue(stored(minimum_unit, round % kFactors));
		} else if (round > pairs) {
			refit(new_d, new_dmin);
		}
		const float inverse_d = inverseOf(new_d), inverse_dmin = inverseOf(new_dmin);
		// Pairs are compared by the nearest whole numbers alone. The last round looks furthest.
		const int reach = round < pairs ? 0 : round < pairs + kRefits ? 1 : 2;
		precise float error = chooseScales(0, new_d, new_dmin, inverse_d, inverse_dmin, reach);
#if BEST_PARTS == 2
		error = error + chooseScales(1, new_d, new_dmin, inverse_d, inverse_dmin, reach);
#endif
		const float total = superSum(error);
		if (round == 0 || total < least) {
			least = total;
			d = new_d;
			dmin = new_dmin;
			[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
				kept_scale[p] = best_scale[p];
				kept_minimum[p] = best_minimum[p];
			}
		}
	}

	uint word[8];   // codes, one a byte
	precise float own_xx = 0.0, own_xy = 0.0;   // y: as decoded
	[[unroll]] for (int p = 0; p < BEST_PARTS; ++p) {
		precise float stored_scale = d * kept_scale[p];
		precise float stored_minimum = dmin * kept_minimum[p];
		const float inverse = inverseOf(stored_scale);
		[[unroll]] for (int k = p * BEST_COUNT / 4; k < (p + 1) * BEST_COUNT / 4; ++k) {
			uint packed = 0u;
			[[unroll]] for (int b = 0; b < 4; ++b) {
				precise float shifted = x[4 * k + b] + stored_minimum;
				shifted = shifted * inverse;
				packed |= uint(int(nearestClamped(shifted, 0, LARGEST_CODE))) << (8 * b);
			}
			word[k] = packed;
		}
		float sum_l, sum_ll, sum_xl;
		sumKept(p, d, dmin, sum_l, sum_ll, sum_xl);
		precise float from_scale = stored_scale * sum_xl, from_minimum = stored_minimum * sum_x[p];
		precise float xy = from_scale - from_minimum;
		own_xx = own_xx + sum_xx[p];
		own_xy = own_xy + xy;
	}
	const float xx = superSum(own_xx), xy = superSum(own_xy);
	const float stretch = stretchOf(xx, xy);
	const uint d_bits = bestHalfBits(stretched(d, stretch)), dmin_bits = bestHalfBits(stretched(dmin, stretch));
#if BEST_PARTS == 1
	const uint scales = uint(kept_scale[0]), minima = uint(kept_minimum[0]);
#else
	const uvec2 scales = uvec2(kept_scale[0], kept_scale[1]), minima = uvec2(kept_minimum[0], kept_minimum[1]);
#endif
	storeSuperBlock(alive, push.output_unit + block * kBlockWords, lane, d_bits | dmin_bits << 16, scales, minima, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
