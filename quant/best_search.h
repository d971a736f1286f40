// What the best searches of blocks of 32 weights share. Their definition is here and in best_*.cpp; shaders/include/encode/best.glsl must
// equal it, operation for operation.
//
// Every search tries some starts, finds what the codes of each would have as best scale (least squares), rounds that to what the
// block can hold, and keeps the start whose rounded result has the smallest weighted squared error. Without an importance matrix all
// weights count alike.
#pragma once

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/scale_search.h"

#include <algorithm>
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

/// How much each of 32 weights counts, w[32]: the root of its importance. Columns of no importance at all count alike.
/// False, and nothing written, for no importance.
[[gnu::always_inline]] inline bool bestWeights(const float* importance, float* w) {
	if (!importance) return false;
	float largest = 0;
	for (int j = 0; j < 32; ++j) largest = importance[j] > largest ? importance[j] : largest;
	for (int j = 0; j < 32; ++j) w[j] = largest == 0 ? 1.0f : std::sqrt(importance[j]);
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

}  // namespace vkq
