// The sixteen values of IQ4_NL and IQ4_XS, which lie closer together around zero as weights do, and the search for the
// scale of 32 weights on them.
#pragma once

#include <cstdint>

namespace vkq {

inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

/// Where the nearer of values i and i + 1 changes, i = 0 .. 14. Differences of such small numbers are exact, so comparing with
/// the middle is comparing the distances.
constexpr float iq4Middle(int i) { return (float(kIq4Values[i]) + float(kIq4Values[i + 1])) / 2; }

/// The inverse scale that candidate `step` of the search tries, -8 .. 7: first -8, the plain one, which is always taken.
inline constexpr int kIq4Plain = -8, kIq4LastStep = 7;

/// Codes of the nearest values to inverse_scale * x[i], the upper one of two equally near; 15 for NaN.
void nearestIq4Codes(const float* x, float inverse_scale, uint8_t* codes);

/// x ~ scale * kIq4Values[code] with the weighted squared error small over 16 candidates. `weights` null means x squared.
/// 0 for a zero group.
float searchIq4Scale(const float* x, const float* weights);

}  // namespace vkq
