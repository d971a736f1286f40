// What the best searches share. Their definition is here and in best_*.cpp; shaders/include/encode/best.glsl must equal it, operation for
// operation.
//
// Every search tries some starts, finds what the codes of each would have as best scale (least squares), rounds that to what the
// block can hold, and keeps the start whose rounded result has the smallest weighted squared error. Without an importance matrix all
// weights count alike. In the end the decoded weights are stretched: see stretchOf().
#pragma once

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/scale_search.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vkq {

/// Sum of term(0 .. 31) in the order of all best searches: eight strided sums, then a tree. Vector units add eight at once so,
/// and a shader has chains that do not wait for one another.
template <class Term>
[[gnu::always_inline]] inline float sum32(Term term) {
	float p[8];
	for (int i = 0; i < 8; ++i) p[i] = ((term(i) + term(i + 8)) + term(i + 16)) + term(i + 24);
	return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

/// To the nearest integer, ties to even, within [low, high]; |value| at most 2^22. What is not a number becomes `low`.
[[gnu::always_inline]] inline float nearestWithin(float value, float low, float high) {
	const float whole = (value + 12582912.0f) - 12582912.0f;
	return whole > low ? (whole < high ? whole : high) : low;
}

/// 1 / scale, and 0 for 0: then every code is that of zero.
[[gnu::always_inline]] inline float inverseOf(float scale) { return scale != 0 ? 1 / scale : 0.0f; }

/// `value` as a half has it. Zero has no sign.
[[gnu::always_inline]] inline float asHalf(float value) {
	const float half = halfToFloat(floatToHalf(value));
	return half == 0 ? 0.0f : half;
}

/// By how much decoded weights y of a block are too short, from the weighted sums of x^2 and of x y. Least squares shortens: what it finds has
/// sum x y = sum y^2, which is less than sum x^2. Over a row's product the roundings of single weights cancel out and a shortening does not, so the
/// scale is stretched until y's part along x is x again. Codes stay; the squared error grows by its own square. No more than a quarter, which 2 bits
/// just need: where more is missing, most weights have been rounded to zero.
[[gnu::always_inline]] inline float stretchOf(float sum_xx, float sum_xy) {
	const float factor = sum_xy > 0 ? sum_xx / sum_xy : 1.0f;
	return factor > 1 ? (factor < 1.25f ? factor : 1.25f) : 1.0f;
}

/// A block's scale stretched, as a half; the scale itself where that does not fit one.
[[gnu::always_inline]] inline float stretched(float scale, float factor) {
	const float half = asHalf(scale * factor);
	return std::isinf(half) ? scale : half;
}

/// How bestWeights() weighs: the larger, the less a weight's own size counts; and what a column counts at least.
inline constexpr float kBestCalm = 2, kLeastShare = 0x1p-20f;

/// How much each of a block's weights counts, w[count]: its importance, and more for a large weight: times sqrt(2 + x^2 / mean square of its 32).
/// Importances are relative to the block's largest, by a power of two, which does not change what is found; less than a millionth counts as that
/// much. Blocks of no importance at all: all alike. False, and nothing written, where no importances are known.
template <int kCount = 32>
[[gnu::always_inline]] inline bool bestWeights(const float* importance, const float* x, float* w) {
	if (!importance) return false;
	uint32_t largest = 0;   // as bits: not negative
	for (int j = 0; j < kCount; ++j) largest = std::max(largest, std::bit_cast<uint32_t>(importance[j]) & 0x7fffffff);
	const int exponent = int(largest >> 23);
	const float unit = std::bit_cast<float>(uint32_t(std::max(254 - exponent, 1)) << 23);
	for (int first = 0; first < kCount; first += 32) {
		const float inverse = inverseOf(sum32([&](int j) __attribute__((always_inline)) { return x[first + j] * x[first + j]; }) * 0.03125f);
		for (int j = first; j < first + 32; ++j) {
			const float share = importance[j] * unit;
			const float size = std::sqrt(kBestCalm + x[j] * x[j] * inverse);
			w[j] = exponent == 0 ? 1.0f : (share > kLeastShare ? share : kLeastShare) * size;
		}
	}
	return true;
}

/// Weighs by w[j], or not at all: the product with 1 is no other number.
struct Weighted {
	const float* w;
	[[gnu::always_inline]] float operator()(int j, float value) const { return w[j] * value; }
};
struct Unweighted {
	[[gnu::always_inline]] float operator()(int, float value) const { return value; }
};

/// Encodes a row's blocks of 32: encode(x, weight, block) is told how errors weigh.
template <class Block, class Encode>
[[gnu::always_inline]] inline void encodeBestBlocks(const float* x, uint64_t row_elements, const float* importance, std::byte* out, Encode encode) {
	for (uint64_t at = 0; at < row_elements; at += 32, out += sizeof(Block)) {
		Block block;
		float w[32];
		if (bestWeights(importance ? importance + at : nullptr, x + at, w)) encode(x + at, Weighted{w}, block);
		else encode(x + at, Unweighted{}, block);
		std::memcpy(out, &block, sizeof(Block));
	}
}

}  // namespace vkq
