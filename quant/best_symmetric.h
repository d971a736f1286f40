// x ~ d * v, d a half and v on a fixed set of values: the best search of Q4_0, Q5_0 (v whole numbers) and IQ4_NL (v of a table).
#pragma once

#include "quant/best_search.h"

namespace vkq {

/// Starts, as what the extreme weight is divided into: kStarts from `low` on, `step` apart, with either sign of the scale.
struct SymmetricStarts {
	static constexpr int kEach = 8;
	float negative, positive, step;   // the extreme becomes -(negative + step * i), or positive + step * i
};

/// Rounds of least squares and new codes after the best start.
inline constexpr int kBestPolish = 2;

/// The half d (as a float) for 32 weights x. `nearest(q)`: the value of the set nearest to q. `plain`: the reference's own scale as a half,
/// which is the first start; if that does not fit a half, it is returned. 0 for a zero group.
template <class Nearest, class Weight>
[[gnu::always_inline]] inline float bestSymmetricScale(const float* x, Weight weight, Nearest nearest, float extreme, float plain, SymmetricStarts starts) {
	if (std::fabs(extreme) < kZeroGroup) return 0;
	if (std::isinf(plain)) return plain;
	float wx[32];
	for (int j = 0; j < 32; ++j) wx[j] = weight(j, x[j]);

	float d = 0, best = 0;
	bool first = true;
	// Least squares for the codes of one inverse scale. The score is by how much the error is less than that of all zeros.
	const auto attempt = [&](float inverse) __attribute__((always_inline)) {
		float value[32];
		for (int j = 0; j < 32; ++j) value[j] = nearest(inverse * x[j]);
		const float cross = sum32([&](int j) { return wx[j] * value[j]; });
		const float square = sum32([&](int j) { return weight(j, value[j]) * value[j]; });
		const float scale = asHalf(square > 0 ? cross / square : 0.0f);
		const float score = scale * (2 * cross - scale * square);
		if (first || score > best) d = scale, best = score;
		first = false;
	};
	attempt(inverseOf(plain));
	const float reciprocal = 1 / extreme;
	for (int i = 0; i < SymmetricStarts::kEach; ++i) attempt(-(starts.negative + starts.step * float(i)) * reciprocal);
	for (int i = 0; i < SymmetricStarts::kEach; ++i) attempt((starts.positive + starts.step * float(i)) * reciprocal);
	for (int round = 0; round < kBestPolish; ++round) attempt(inverseOf(d));
	return d;
}

/// The scale that is stored: d stretched for its own codes.
template <class Nearest, class Weight>
[[gnu::always_inline]] inline float stretchedSymmetricScale(const float* x, Weight weight, Nearest nearest, float d) {
	const float inverse = inverseOf(d);
	const float sum_xx = sum32([&](int j) __attribute__((always_inline)) { return weight(j, x[j]) * x[j]; });
	const float sum_xv = sum32([&](int j) __attribute__((always_inline)) { return weight(j, x[j]) * nearest(inverse * x[j]); });
	return stretched(d, stretchOf(sum_xx, d * sum_xv));
}

}  // namespace vkq
