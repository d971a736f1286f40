// IEEE binary16 and bfloat16 <-> float, the same bits on every host. Rounding is to nearest even, subnormals are kept,
// overflow becomes infinity, NaN becomes quiet. Without branches, so that loops over these become vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace vkq {

inline float halfToFloat(uint16_t half) {
	const uint32_t sign = uint32_t(half & 0x8000) << 16;
	const uint32_t magnitude = half & 0x7fff;
	const uint32_t normal = (magnitude << 13) + (112u << 23);                      // exponent bias 15 -> 127
	const uint32_t infinite = (magnitude << 13) | 0x7f800000;
	const uint32_t subnormal = std::bit_cast<uint32_t>(float(int32_t(magnitude)) * 0x1p-24f);  // exact
	const uint32_t finite = magnitude < 0x0400 ? subnormal : normal;
	return std::bit_cast<float>(sign | (magnitude >= 0x7c00 ? infinite : finite));
}

inline uint16_t floatToHalf(float value) {
	const uint32_t bits = std::bit_cast<uint32_t>(value);
	const uint32_t sign = (bits >> 16) & 0x8000;
	const uint32_t magnitude = bits & 0x7fffffff;
	// At or above 2^-14: add half of the last kept bit, less one when the tie would go to odd. May carry into infinity, as it should.
	const uint32_t normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112u << 23)) >> 13;
	// Below: in 0.5 + |value| the last bit of the sum is the last bit of a subnormal half, so the addition itself rounds.
	const uint32_t half_bits = std::bit_cast<uint32_t>(0.5f);
	const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - half_bits;
	const uint32_t finite = magnitude < 0x38800000 ? subnormal : normal;
	const uint32_t special = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
	return uint16_t(sign | (magnitude >= 0x47800000 ? special : finite));  // 65536 and above, infinity, NaN
}

inline float bfloatToFloat(uint16_t value) { return std::bit_cast<float>(uint32_t(value) << 16); }

inline uint16_t floatToBfloat(float value) {
	const uint32_t bits = std::bit_cast<uint32_t>(value);
	const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
	const uint32_t quiet = (bits >> 16) | 64;
	return uint16_t((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

}  // namespace vkq
