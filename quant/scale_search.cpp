#include "quant/scale_search.h"

#include "quant/block_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vkq {

namespace {

constexpr int kMaxGroup = 32;
constexpr int kMoveRounds = 5;

}  // namespace

float searchSymmetric(int count, int levels, const float* x, const float* weights, uint8_t* codes) {
	float magnitude;
	const float extreme = signedExtreme(x, count, &magnitude);
	if (magnitude < kZeroGroup) {
		std::memset(codes, 0, size_t(count));
		return 0;
	}
	float weight[kMaxGroup];
	for (int i = 0; i < count; ++i) weight[i] = weights ? weights[i] : x[i] * x[i];

	// Codes for one inverse scale, and the two sums whose quotient is the best scale for those codes.
	int level[kMaxGroup];
	float cross, square;
	auto attempt = [&](float inverse_scale) {
		cross = square = 0;
		for (int i = 0; i < count; ++i) {
			const int l = clampInt(nearestInt(inverse_scale * x[i]), -levels, levels - 1);
			level[i] = l;
			cross += weight[i] * x[i] * float(l);
			square += weight[i] * float(l) * float(l);
		}
	};
	auto keepCodes = [&] {
		for (int i = 0; i < count; ++i) codes[i] = uint8_t(level[i] + levels);
	};

	attempt(float(-levels) / extreme);
	keepCodes();
	float scale = square != 0 ? cross / square : 0.0f;
	float best = scale * cross;
	for (int step = -9; step <= 9; ++step) {
		if (step == 0) continue;
		attempt(-(float(levels) + 0.1f * float(step)) / extreme);
		if (square > 0 && cross * cross > best * square) {
			keepCodes();
			scale = cross / square;
			best = scale * cross;
		}
	}
	return scale;
}

float searchSymmetricByMoves(int count, int levels, const float* x, uint8_t* codes) {
	float magnitude;
	const float extreme = signedExtreme(x, count, &magnitude);
	if (magnitude < kZeroGroup) {
		std::memset(codes, 0, size_t(count));
		return 0;
	}
	const float inverse_scale = float(-levels) / extreme;
	int level[kMaxGroup];
	float cross = 0, square = 0;
	for (int i = 0; i < count; ++i) {
		const int l = clampInt(nearestInt(inverse_scale * x[i]), -levels, levels - 1);
		const float w = x[i] * x[i];
		level[i] = l;
		cross += w * x[i] * float(l);
		square += w * float(l) * float(l);
	}
	for (int round = 0; round < kMoveRounds; ++round) {
		bool moved = false;
		for (int i = 0; i < count; ++i) {
			const float w = x[i] * x[i];
			float cross_without = cross - w * x[i] * float(level[i]);
			if (!(cross_without > 0)) continue;
			float square_without = square - w * float(level[i]) * float(level[i]);
			const int l = clampInt(nearestInt(x[i] * square_without / cross_without), -levels, levels - 1);
			if (l == level[i]) continue;
			cross_without += w * x[i] * float(l);
			square_without += w * float(l) * float(l);
			if (square_without > 0 && cross_without * cross_without * square > cross * cross * square_without) {
				level[i] = l;
				cross = cross_without;
				square = square_without;
				moved = true;
			}
		}
		if (!moved) break;
	}
	for (int i = 0; i < count; ++i) codes[i] = uint8_t(level[i] + levels);
	return square > 0 ? cross / square : 0.0f;
}

float searchAffine(int count, int largest, const float* x, const float* weights, AffineSweep sweep, AffineError error, uint8_t* codes, float* offset) {
	float low = x[0], high = x[0];
	float sum_w = weights[0];
	float sum_x = sum_w * x[0];
	for (int i = 1; i < count; ++i) {
		low = std::min(low, x[i]);
		high = std::max(high, x[i]);
		sum_w += weights[i];
		sum_x += weights[i] * x[i];
	}
	if (low > 0) low = 0;
	if (high <= low) {
		std::memset(codes, 0, size_t(count));
		*offset = -low;
		return 0;
	}

	auto codeOf = [&](float inverse_scale, float value) { return clampInt(nearestInt(inverse_scale * (value - low)), 0, largest); };
	auto totalError = [&](float scale, float minimum, const uint8_t* candidate) {
		float total = 0;
		for (int i = 0; i < count; ++i) {
			float difference = scale * float(candidate[i]) + minimum - x[i];
			difference = error == AffineError::kAbsolute ? std::fabs(difference) : difference * difference;
			total += weights[i] * difference;
		}
		return total;
	};

	const float inverse_scale = float(largest) / (high - low);
	float scale = 1 / inverse_scale;
	for (int i = 0; i < count; ++i) codes[i] = uint8_t(codeOf(inverse_scale, x[i]));
	float best = totalError(scale, low, codes);

	auto sweepCodeOf = [&](float inverse, float value) {
		if (!sweep.clamp_first) return codeOf(inverse, value);
		const float code = inverse * (value - low);
		return code > 0 ? nearestInt(std::min(code, float(largest))) : 0;
	};
	uint8_t candidate[kMaxGroup];
	for (int step = 0; step <= sweep.steps; ++step) {
		const float inverse = (sweep.first + sweep.step * float(step) + float(largest)) / (high - low);
		float sum_l = 0, sum_l2 = 0, sum_xl = 0;
		for (int i = 0; i < count; ++i) {
			const int l = sweepCodeOf(inverse, x[i]);
			candidate[i] = uint8_t(l);
			sum_l += weights[i] * float(l);
			sum_l2 += weights[i] * float(l) * float(l);
			sum_xl += weights[i] * float(l) * x[i];
		}
		const float determinant = sum_w * sum_l2 - sum_l * sum_l;
		if (!(determinant > 0)) continue;
		// Least squares for scale and minimum with these codes.
		float new_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
		float new_low = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
		if (new_low > 0) {
			new_low = 0;
			new_scale = sum_xl / sum_l2;
		}
		const float total = totalError(new_scale, new_low, candidate);
		if (total < best) {
			std::memcpy(codes, candidate, size_t(count));
			best = total;
			scale = new_scale;
			low = new_low;
		}
	}
	*offset = -low;
	return scale;
}

float searchPositive(int count, int largest, const float* x, const float* weights, uint8_t* codes) {
	float high = 0;
	for (int i = 0; i < count; ++i) high = std::max(high, x[i]);
	if (high < kZeroGroup) {
		std::memset(codes, 0, size_t(count));
		return 0;
	}
	float inverse_scale = float(largest) / high;
	float best = 0;
	for (int i = 0; i < count; ++i) {
		codes[i] = uint8_t(nearestInt(inverse_scale * x[i]));
		const float difference = x[i] - 1 / inverse_scale * float(codes[i]);
		best += weights[i] * difference * difference;
	}
	for (int step = -4; step <= 4; ++step) {
		if (step == 0) continue;
		const float inverse = (0.1f * float(step) + float(largest)) / high;
		const float scale = 1 / inverse;
		float total = 0;
		for (int i = 0; i < count; ++i) {
			const int l = std::min(largest, nearestInt(inverse * x[i]));
			const float difference = x[i] - scale * float(l);
			total += weights[i] * difference * difference;
		}
		if (total < best) best = total, inverse_scale = inverse;
	}
	float cross = 0, square = 0;
	for (int i = 0; i < count; ++i) {
		const int l = std::min(largest, nearestInt(inverse_scale * x[i]));
		codes[i] = uint8_t(l);
		cross += weights[i] * x[i] * float(l);
		square += weights[i] * float(l) * float(l);
	}
	for (int round = 0; round < kMoveRounds; ++round) {
		bool moved = false;
		for (int i = 0; i < count; ++i) {
			const float w = weights[i];
			float cross_without = cross - w * x[i] * float(codes[i]);
			float square_without = square - w * float(codes[i]) * float(codes[i]);
			if (!(cross_without > 0 && square_without > 0)) continue;
			const int l = std::min(largest, nearestInt(x[i] * square_without / cross_without));
			if (l == codes[i]) continue;
			cross_without += w * x[i] * float(l);
			square_without += w * float(l) * float(l);
			if (cross_without * cross_without * square > cross * cross * square_without) {
				codes[i] = uint8_t(l);
				cross = cross_without;
				square = square_without;
				moved = true;
			}
		}
		if (!moved) break;
	}
	return square > 0 ? cross / square : 0.0f;
}

float sumOfSquares(const float* x, uint64_t count) {
	float sum = 0;
	for (uint64_t i = 0; i < count; ++i) sum += x[i] * x[i];
	return sum;
}

float importanceWeights(int count, const float* x, const float* importance, float sigma2, float* weights) {
	float sum = 0;
	for (int i = 0; i < count; ++i) {
		weights[i] = importance[i] * std::sqrt(sigma2 + x[i] * x[i]);
		sum += weights[i];
	}
	return sum;
}

}  // namespace vkq
