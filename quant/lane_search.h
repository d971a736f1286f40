// The searches of scale_search.h for eight groups at once, a vector lane each: lane for lane the same operations in the same
// order, so the same bytes, several times faster. What a super-block's groups, or eight blocks of a row, are searched with.
#pragma once

#include "quant/scale_search.h"

#include <cstdint>

namespace vkq {

inline constexpr int kLanes = 8;

/// searchSymmetric() of eight groups of kCount (16 or 32) weights that lie one after the other; so do `weights` and `codes`.
template <int kCount>
void searchSymmetricLanes(int levels, const float* x, const float* weights, uint8_t* codes, float* scales);

/// searchAffine() likewise.
template <int kCount>
void searchAffineLanes(int largest, const float* x, const float* weights, AffineSweep sweep, AffineError error, uint8_t* codes, float* scales,
                       float* offsets);

/// searchIq4Scale() (iq4.h) of eight groups of 32 weights.
void searchIq4ScaleLanes(const float* x, const float* weights, float* scales);

}  // namespace vkq
