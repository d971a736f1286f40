// What Q4_0, Q5_0 (symmetric: x = d * (q - levels)) and Q4_1, Q5_1 (affine: x = d * q + m) share: scale and codes of a
// block of 32. They differ in the number of levels and in how the codes are packed.
#pragma once

#include "quant/block_codec.h"
#include "quant/lane_search.h"
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
	int32_t low_key = INT32_MAX, high_key = INT32_MIN;
	for (int j = 0; j < 32; ++j) {
		const int32_t key = orderedBits(x[j]);
		low_key = key < low_key ? key : low_key;
		high_key = key > high_key ? key : high_key;
	}
	const float low = firstEqual32(x, fromOrderedBits(low_key)), high = firstEqual32(x, fromOrderedBits(high_key));
	const float d = (high - low) / kLargest;
	const float inverse = d != 0 ? 1 / d : 0.0f;
	for (int j = 0; j < 32; ++j) codes[j] = uint8_t(truncateToInt((x[j] - low) * inverse + 0.5f));
	*minimum = low;
	return d;
}

/// With importance: weights from the mean square of the whole row, which couples the blocks of these formats (and no others).
/// The searches take eight blocks at once, and what is left of a row one after the other.
template <class Block, class Lanes, class Single, class Pack>
void encodeWeightedBlocks(const float* x, uint64_t row_elements, const float* importance, std::byte* out, Lanes searchLanes, Single searchOne, Pack pack) {
	const float sigma2 = sumOfSquares(x, row_elements) / float(row_elements);
	for (uint64_t at = 0; at < row_elements; at += 32 * kLanes) {
		const int blocks = int(std::min<uint64_t>(kLanes, (row_elements - at) / 32));
		float weights[32 * kLanes], scales[kLanes], offsets[kLanes] = {};
		uint8_t codes[32 * kLanes];
		importanceWeights(32 * blocks, x + at, importance + at, sigma2, weights);
		if (blocks == kLanes) searchLanes(x + at, weights, codes, scales, offsets);
		else
			for (int b = 0; b < blocks; ++b) scales[b] = searchOne(x + at + 32 * b, weights + 32 * b, codes + 32 * b, offsets + b);
		for (int b = 0; b < blocks; ++b, out += sizeof(Block)) {
			Block block;
			pack(block, codes + 32 * b, scales[b], offsets[b]);
			std::memcpy(out, &block, sizeof(Block));
		}
	}
}

/// As above for x = d * (q - levels).
template <class Block, int kLevels, void (*kPack)(Block& block, const uint8_t* codes, float scale, float offset)>
void encodeWeightedSymmetric(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	encodeWeightedBlocks<Block>(
		x, row_elements, importance, out,
		[](const float* v, const float* w, uint8_t* codes, float* scales, float*) { searchSymmetricLanes<32>(kLevels, v, w, codes, scales); },
		[](const float* v, const float* w, uint8_t* codes, float*) { return searchSymmetric(32, kLevels, v, w, codes); }, kPack);
}

/// As above for x = d * q - offset.
template <class Block, int kLargest, void (*kPack)(Block& block, const uint8_t* codes, float scale, float offset)>
void encodeWeightedAffine(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	encodeWeightedBlocks<Block>(
		x, row_elements, importance, out,
		[](const float* v, const float* w, uint8_t* codes, float* scales, float* offsets) {
			searchAffineLanes<32>(kLargest, v, w, kImportanceSweep, AffineError::kSquared, codes, scales, offsets);
		},
		[](const float* v, const float* w, uint8_t* codes, float* offset) {
			return searchAffine(32, kLargest, v, w, kImportanceSweep, AffineError::kSquared, codes, offset);
		},
		kPack);
}

}  // namespace vkq
