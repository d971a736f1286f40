// What the best searches over eight lanes share: the vectors, and rounding. Internal to quant/best_*.cpp.
//
// Macros, because a function that took vectors would be compiled for the least of the machines that VKQ_SIMD_CLONES serves.
#pragma once

#include "core/half.h"
#include "quant/lane_search.h"

#include <cstdint>

namespace vkq {

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));

/// Rounds after the super-block scale's (and minimum's) starts: each fits it anew to the codes in use.
inline constexpr int kBestKRefits = 2;

}  // namespace vkq

/// Declares `code`: `value` to the nearest whole number, ties to even, clamped to lowest .. highest. The clamp happens on the bits while the
/// rounding constant is added: in order of size whatever the value is, NaN at the upper end. Equals nearestClamped() of exact.glsl.
#define VKQ_ROUND(code, value, lowest, highest)                                                              \
	Ints code##_bits = (Ints)((value) + 12582912.0f);                                                        \
	code##_bits = code##_bits < 0x4b400000 + (lowest) ? Ints{} + (0x4b400000 + (lowest)) : code##_bits;      \
	code##_bits = code##_bits > 0x4b400000 + (highest) ? Ints{} + (0x4b400000 + (highest)) : code##_bits;    \
	const Floats code = (Floats)code##_bits - 12582912.0f

/// Sum of four strided sums: SUM4 of best_k.glsl.
#define VKQ_SUM4(s) ((s[0] + s[1]) + (s[2] + s[3]))

/// Sum of the lanes, in pairs, fours and eight: superSum() of best_k.glsl.
#define VKQ_SUM_LANES(v) (((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])))
