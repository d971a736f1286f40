// Best search of a super-block of the affine k-quants: x ~ d * s_j * q - dmin * m_j, 256 weights in groups j.
//
// Two steps. Each group alone: many roundings of its range, each with the scale and minimum that fit it best (least squares), the best
// one rounded and fitted once more. Then the super-block as it will be stored: a few d and dmin around the obvious ones, with the whole
// numbers s_j and m_j next to each group's fit, are compared by the error of the codes that they lead to. For the best pair s_j and m_j are chosen
// among the neighbours too; and twice more (the last time two steps away), with d and dmin fitted (least squares) to the codes in use.
// So what is minimized is the error of what a decoder sees: sum of weights * (decoded - x)^2. In the end d and dmin are stretched (best_search.h).
#pragma once

#include <cstdint>

namespace vkq {

struct BestKAffineBlock {
	uint16_t d, dmin;                      // binary16
	uint8_t scales[16], minima[16];        // s_j and m_j, 0 .. largest scale
	uint8_t codes[256];                    // one a byte, element order
};

/// What kinds there are: Q4_K <32, 15, 63>, Q5_K <32, 31, 63>, Q2_K <16, 3, 15>. `importance` of 256 columns, or null: bestWeights() of best_search.h.
template <int kGroup, int kLargestCode, int kLargestScale>
void searchBestKAffine(const float* x, const float* importance, BestKAffineBlock& out);

/// Of a group's search: its range is divided into largest code + 0.75, + 0.25, ... - 1.75 steps, each laid about the range's middle and two fifths and
/// a fifth of a step to either side. What reaches beyond the codes at one end or both is clipped.
inline constexpr int kBestKAffineShifts = 5, kBestKAffineStarts = 6 * kBestKAffineShifts;

/// Of the joint search: d and dmin are multiplied with each of these, in every combination.
inline constexpr int kBestKAffineFactors = 4;
inline constexpr float kBestKAffineFactor[kBestKAffineFactors] = {0.94f, 0.97f, 1.0f, 1.03f};

}  // namespace vkq
