#include "quant/lane_search.h"

#include "quant/block_codec.h"
#include "quant/iq4.h"

#include <cstring>

// Vectors live inside the functions that are compiled for several machines and nowhere else: a helper that took one would be
// compiled for the least of them. Hence the macro.
#define VKQ_NEAREST_INT(value) ((((Ints)((value) + 12582912.0f)) & 0x007fffff) - 0x00400000)

namespace vkq {

namespace {

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));

}  // namespace

template <int kCount>
VKQ_SIMD_CLONES void searchSymmetricLanes(int levels, const float* x_in, const float* weights, uint8_t* codes, float* scales) {
	const Floats zero = {};
	const Ints lowest = Ints{} - levels, highest = Ints{} + (levels - 1);
	Floats x[kCount], w[kCount], wx[kCount];
	Floats extreme = zero, magnitude = zero;
	for (int i = 0; i < kCount; ++i) {
		for (int lane = 0; lane < kLanes; ++lane) x[i][lane] = x_in[lane * kCount + i];
		if (weights)
			for (int lane = 0; lane < kLanes; ++lane) w[i][lane] = weights[lane * kCount + i];
		else
			w[i] = x[i] * x[i];
		wx[i] = w[i] * x[i];
		const Floats size = (Floats)((Ints)x[i] & 0x7fffffff);
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = size > magnitude ? size : magnitude;
	}

	Ints kept[kCount], level[kCount];
	Floats scale = zero, best = zero;
	for (int step = -10; step <= 9; ++step) {   // -10 stands for the plain scale, which comes first and is always taken
		if (step == 0) continue;
		const bool first = step == -10;
		const Floats inverse = (first ? float(-levels) : -(float(levels) + 0.1f * float(step))) / extreme;
		Floats cross = zero, square = zero;
		for (int i = 0; i < kCount; ++i) {
			Ints l = VKQ_NEAREST_INT(inverse * x[i]);
			l = l < lowest ? lowest : l;
			l = l > highest ? highest : l;
			level[i] = l;
			const Floats value = __builtin_convertvector(l, Floats);
			cross += wx[i] * value;
			square += w[i] * value * value;
		}
		const Ints better = first ? Ints{} - 1 : (square > zero) & (cross * cross > best * square);
		const Floats quotient = cross / square;
		scale = better ? (square != zero ? quotient : zero) : scale;
		best = better ? scale * cross : best;
		for (int i = 0; i < kCount; ++i) kept[i] = better ? level[i] : kept[i];
	}

	const Ints is_zero = magnitude < kZeroGroup;
	scale = is_zero ? zero : scale;
	std::memcpy(scales, &scale, sizeof(scale));
	for (int i = 0; i < kCount; ++i) {
		const Ints code = is_zero ? Ints{} : kept[i] + levels;
		for (int lane = 0; lane < kLanes; ++lane) codes[lane * kCount + i] = uint8_t(code[lane]);
	}
}

template <int kCount>
VKQ_SIMD_CLONES void searchAffineLanes(int largest, const float* x_in, const float* weights, AffineSweep sweep, AffineError error, uint8_t* codes,
                                       float* scales, float* offsets) {
	const Floats zero = {}, top = zero + float(largest);
	const Ints none = {}, highest = none + largest;
	Floats x[kCount], w[kCount];
	for (int i = 0; i < kCount; ++i)
		for (int lane = 0; lane < kLanes; ++lane) {
			x[i][lane] = x_in[lane * kCount + i];
			w[i][lane] = weights[lane * kCount + i];
		}
	Floats low = x[0], high = x[0], sum_w = w[0], sum_x = w[0] * x[0];
	for (int i = 1; i < kCount; ++i) {
		low = x[i] < low ? x[i] : low;
		high = x[i] > high ? x[i] : high;
		sum_w += w[i];
		sum_x += w[i] * x[i];
	}
	low = low > zero ? zero : low;
	const Floats first_low = low;
	const Ints is_flat = high <= low;

	Ints kept[kCount], candidate[kCount];
	Floats scale = zero, best = zero;
	for (int step = -1; step <= sweep.steps; ++step) {   // -1 stands for the plain scale, which is always taken
		const bool first = step == -1;
		const Floats inverse = (first ? float(largest) : sweep.first + sweep.step * float(step) + float(largest)) / (high - low);
		Floats sum_l = zero, sum_l2 = zero, sum_xl = zero;
		for (int i = 0; i < kCount; ++i) {
			Floats quotient = inverse * (x[i] - low);
			if (sweep.clamp_first && !first) {
				quotient = quotient > zero ? quotient : zero;
				quotient = quotient > top ? top : quotient;
			}
			Ints l = VKQ_NEAREST_INT(quotient);
			l = l < none ? none : l;
			l = l > highest ? highest : l;
			candidate[i] = l;
			const Floats value = __builtin_convertvector(l, Floats), weighted = w[i] * value;
			sum_l += weighted;
			sum_l2 += weighted * value;
			sum_xl += weighted * x[i];
		}
		const Floats determinant = sum_w * sum_l2 - sum_l * sum_l;
		Floats new_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
		Floats new_low = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
		const Floats scale_from_zero = sum_xl / sum_l2;
		new_scale = new_low > zero ? scale_from_zero : new_scale;
		new_low = new_low > zero ? zero : new_low;
		if (first) {
			new_scale = 1 / inverse;
			new_low = low;
		}
		Floats total = zero;
		for (int i = 0; i < kCount; ++i) {
			const Floats difference = new_scale * __builtin_convertvector(candidate[i], Floats) + new_low - x[i];
			total += w[i] * (error == AffineError::kAbsolute ? (Floats)((Ints)difference & 0x7fffffff) : difference * difference);
		}
		const Ints better = first ? none - 1 : (determinant > zero) & (total < best);
		best = better ? total : best;
		scale = better ? new_scale : scale;
		low = better ? new_low : low;
		for (int i = 0; i < kCount; ++i) kept[i] = better ? candidate[i] : kept[i];
	}

	scale = is_flat ? zero : scale;
	low = is_flat ? first_low : low;
	const Floats offset = -low;
	std::memcpy(scales, &scale, sizeof(scale));
	std::memcpy(offsets, &offset, sizeof(offset));
	for (int i = 0; i < kCount; ++i) {
		const Ints code = is_flat ? none : kept[i];
		for (int lane = 0; lane < kLanes; ++lane) codes[lane * kCount + i] = uint8_t(code[lane]);
	}
}

VKQ_SIMD_CLONES void searchIq4ScaleLanes(const float* x_in, const float* weights, float* scales) {
	constexpr int kCount = 32;
	const Floats zero = {};
	Floats x[kCount], w[kCount];
	Floats extreme = zero, magnitude = zero;
	for (int i = 0; i < kCount; ++i) {
		for (int lane = 0; lane < kLanes; ++lane) x[i][lane] = x_in[lane * kCount + i];
		if (weights)
			for (int lane = 0; lane < kLanes; ++lane) w[i][lane] = weights[lane * kCount + i];
		else
			w[i] = x[i] * x[i];
		const Floats size = (Floats)((Ints)x[i] & 0x7fffffff);
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = size > magnitude ? size : magnitude;
	}
	Floats scale = zero, best = zero;
	for (int step = kIq4Plain; step <= kIq4LastStep; ++step) {
		const bool first = step == kIq4Plain;
		const Floats inverse = first ? 1 / (-extreme / float(kIq4Values[0])) : float(step + kIq4Values[0]) / extreme;
		Floats cross = zero, square = zero;
		for (int i = 0; i < kCount; ++i) {
			// The lowest value, and the way to the next for each middle that the quotient is not below: exact whole numbers.
			const Floats quotient = inverse * x[i];
			Floats value = zero + float(kIq4Values[0]);
			for (int k = 0; k < 15; ++k) value += quotient < iq4Middle(k) ? zero : zero + float(kIq4Values[k + 1] - kIq4Values[k]);
			const Floats weighted = w[i] * value;
			cross += weighted * x[i];
			square += weighted * value;
		}
		const Ints better = first ? Ints{} - 1 : (square > zero) & (cross * cross > best * square);
		const Floats quotient = cross / square;
		scale = better ? (square > zero ? quotient : zero) : scale;
		best = better ? scale * cross : best;
	}
	scale = magnitude < kZeroGroup ? zero : scale;
	std::memcpy(scales, &scale, sizeof(scale));
}

template void searchSymmetricLanes<16>(int, const float*, const float*, uint8_t*, float*);
template void searchSymmetricLanes<32>(int, const float*, const float*, uint8_t*, float*);
template void searchAffineLanes<16>(int, const float*, const float*, AffineSweep, AffineError, uint8_t*, float*, float*);
template void searchAffineLanes<32>(int, const float*, const float*, AffineSweep, AffineError, uint8_t*, float*, float*);

}  // namespace vkq
