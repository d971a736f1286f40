// What Q4_0, Q5_0 (symmetric: x = d * (q - levels)) and Q4_1, Q5_1 (affine: x = d * q + m) share: scale and codes of a
// block of 32. They differ in the number of levels and in how the codes are packed.
#pragma once

#include "quant/block_codec.h"
#include "quant/scale_search.h"

#include <algorithm>

namespace vkq {

/// The extreme weight becomes code 0; the code of its opposite is clamped. `levels` is 8 or 16. Returns d.
template <int kLevels>
inline float quantizeSymmetric(const float* x, uint8_t* codes) {
	const float d = signedExtreme32(x) / -kLevels;
	const float inverse = d != 0 ? 1 / d : 0.0f;
	for (int j = 0; j < 32; ++j) {
		const int8_t code = int8_t(truncateToInt(x[j] * inverse + (kLevels + 0.5f)));
		codes[j] = uint8_t(std::min<int8_t>(2 * kLevels - 1, code));
	}
	return d;
}

/// The smallest weight becomes code 0, the largest code kLargest. Returns d; the minimum goes to *minimum.
template <int kLargest>
inline float quantizeAffine(const float* x, uint8_t* codes, float* minimum) {
	float low = x[0], high = x[0];
	for (int j = 1; j < 32; ++j) {
		low = x[j] < low ? x[j] : low;
		high = x[j] > high ? x[j] : high;
	}
	const float d = (high - low) / kLargest;
	const float inverse = d != 0 ? 1 / d : 0.0f;
	for (int j = 0; j < 32; ++j) codes[j] = uint8_t(truncateToInt((x[j] - low) * inverse + 0.5f));
	*minimum = low;
	return d;
}

/// With importance: weights from the mean square of the whole row, which couples the blocks of these formats (and no others).
template <class Block, void (*kEncode)(const float* x, const float* weights, Block& block)>
void encodeWeightedBlocks(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	const float sigma2 = sumOfSquares(x, row_elements) / float(row_elements);
	for (uint64_t at = 0; at < row_elements; at += 32, out += sizeof(Block)) {
		Block block;
		float weights[32];
		importanceWeights(32, x + at, importance + at, sigma2, weights);
		kEncode(x + at, weights, block);
		std::memcpy(out, &block, sizeof(Block));
	}
}

}  // namespace vkq
