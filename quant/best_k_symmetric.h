// Best search of a super-block of the symmetric k-quants: x ~ d * s_j * q, 256 weights in sixteen groups j of 16.
//
// As best_k_affine.h without a minimum: each group's best scale first, either sign; then a few d, compared by the error of the codes that the whole
// numbers s_j next to each group's fit lead to; for the best d the neighbours of s_j too, and twice more with d fitted to the codes in use.
#pragma once

#include <cstdint>

namespace vkq {

struct BestKSymmetricBlock {
	uint16_t d;             // binary16
	int8_t scales[16];      // s_j, -largest scale .. largest scale - 1
	uint8_t codes[256];     // q + levels, one a byte, element order
};

/// Of a group's search: 24 targets of its extreme on either side of zero.
inline constexpr int kBestKSymmetricStarts = 48;

/// Of the joint search: d is multiplied with 0.9, 0.92, ... 1.04.
inline constexpr int kBestKSymmetricFactors = 8;

/// Q3_K <4, 32>, Q6_K <32, 128>: q in -levels .. levels - 1. `importance` of 256 columns, or null: bestWeights() of best_search.h.
template <int kLevels, int kScaleLevels>
void searchBestKSymmetric(const float* x, const float* importance, BestKSymmetricBlock& out);

}  // namespace vkq
