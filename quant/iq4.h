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

/// A super-block of IQ4_XS, drawn in iq4_xs.cpp.
struct Iq4XsBlock {
	static constexpr int kElements = 256;
	static constexpr int kGroups = 8;
	uint16_t d;
	uint16_t scale_high;
	uint8_t scale_low[4];
	uint8_t codes[kGroups][16];

	/// Adds group j's scale, `level` times d, -32 .. 31. Both parts of the scales begin as zeros.
	void addLevel(int j, int level) {
		scale_low[j / 2] |= uint8_t(((level + 32) & 15) << 4 * (j % 2));
		scale_high |= uint16_t((level + 32) >> 4 << 2 * j);
	}
};
static_assert(sizeof(Iq4XsBlock) == 136);

/// Codes of the nearest values to inverse_scale * x[i], the upper one of two equally near; 15 for NaN.
void nearestIq4Codes(const float* x, float inverse_scale, uint8_t* codes);

/// x ~ scale * kIq4Values[code] with the weighted squared error small over 16 candidates. `weights` null means x squared.
/// 0 for a zero group.
float searchIq4Scale(const float* x, const float* weights);

}  // namespace vkq
