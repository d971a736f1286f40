// The searches for the scale (and minimum) of a group of weights that all k-quants and the importance-weighted encoders share.
//
// Each finds integer codes and a scale so that the weighted squared error is small: not the best, but the reference's,
// step for step. Sums run in index order, products associate to the left: w*x*l is (w*x)*l. Codes are bytes.
#pragma once

#include <bit>
#include <cstdint>

namespace vkq {

/// A group whose largest magnitude is below this is all zeros.
inline constexpr float kZeroGroup = 1e-15f;

/// To the nearest integer, ties to even, for |value| <= 4194303: adding 1.5 * 2^23 leaves the integer in the mantissa.
/// Beyond that range (an infinite scale) it gives what the reference gives, a number of no meaning that callers clamp.
inline int nearestInt(float value) {
	const uint32_t bits = std::bit_cast<uint32_t>(value + 12582912.0f);
	return int(bits & 0x007fffff) - 0x00400000;
}

inline int clampInt(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/// x ~ scale * (codes - levels), codes 0 .. 2*levels-1. `weights` null means x squared.
/// Tries 19 scales around -levels/extreme. Returns the scale; 0 with all codes 0 for a zero group.
float searchSymmetric(int count, int levels, const float* x, const float* weights, uint8_t* codes);

/// As above with weights x squared, but moves one code after the other while that helps, at most five rounds (Q3_K).
float searchSymmetricByMoves(int count, int levels, const float* x, uint8_t* codes);

/// How searchAffine() varies the inverse scale: (first + step * i + largest code) / range for i = 0 .. steps.
struct AffineSweep {
	float first;
	float step;
	int steps;
	/// Whether the sweep clamps before it rounds or after: the same but for quotients beyond nearestInt()'s range, which a
	/// weight without importance far outside the others brings about.
	bool clamp_first = false;
};

/// The sweep of every importance-weighted affine format.
inline constexpr AffineSweep kImportanceSweep{-0.9f, 0.05f, 36, true};

enum class AffineError { kSquared, kAbsolute };

/// x ~ scale * codes - offset, codes 0 .. largest, offset >= 0. An improvement replaces the minimum that the following
/// steps start from: that is part of the definition. Returns the scale.
float searchAffine(int count, int largest, const float* x, const float* weights, AffineSweep sweep, AffineError error, uint8_t* codes, float* offset);

/// x ~ scale * codes, x >= 0, codes 0 .. largest: quantizes the scales of a super-block's groups. Returns the scale.
float searchPositive(int count, int largest, const float* x, const float* weights, uint8_t* codes);

/// Sum of squares in index order.
float sumOfSquares(const float* x, uint64_t count);

/// importance[i] * sqrt(sigma2 + x[i]^2), the weight of every importance-weighted search but Q6_K's.
/// Returns the sum of the weights.
float importanceWeights(int count, const float* x, const float* importance, float sigma2, float* weights);

}  // namespace vkq
