// The scale of an MXFP4 block: a power of two, chosen from the largest magnitude. Apart so that tests can see it.
#pragma once

#include <cstdint>

namespace vkq {

/// The exponent byte: floor(log2(magnitude)) + 125 as a byte, where log2 is rounded to single precision first: a magnitude
/// a few units below a power of two counts as that power. 0 for 0. In whole numbers, so that shaders can do the same.
uint8_t mxfp4Exponent(float magnitude);

/// 2^(exponent - 128), half of what the byte means as E8M0: the code values below are doubled. 0 and 1 are subnormal.
float mxfp4Scale(uint8_t exponent);

/// Twice the values of 4-bit floats (E2M1). Code 8, negative zero, is plain zero and never written.
inline constexpr int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace vkq
