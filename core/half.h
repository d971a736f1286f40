// IEEE binary16 and bfloat16 <-> float, in plain integer arithmetic so that every host gives the same bits.
// Rounding is to nearest even, subnormals are kept, overflow becomes infinity (../docs/formats: numeric primitives).
#pragma once

#include <bit>
#include <cstdint>

namespace vkq {

inline float halfToFloat(uint16_t half) {
	const uint32_t sign = uint32_t(half & 0x8000) << 16;
	const uint32_t exponent = (half >> 10) & 0x1f;
	const uint32_t mantissa = half & 0x3ff;
	if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
	if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
	// Subnormal: mantissa * 2^-24, exact in single precision.
	const float magnitude = float(mantissa) * 0x1p-24f;
	return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

inline uint16_t floatToHalf(float value) {
	const uint32_t bits = std::bit_cast<uint32_t>(value);
	const uint16_t sign = uint16_t((bits >> 16) & 0x8000);
	const uint32_t magnitude = bits & 0x7fffffff;
	if (magnitude > 0x7f800000) return sign | 0x7e00;          // NaN
	if (magnitude >= 0x47800000) return sign | 0x7c00;         // >= 65536, and infinity
	if (magnitude < 0x38800000) {                              // below 2^-14: a subnormal half, or zero
		if (magnitude < 0x33000000) return sign;               // below 2^-25 rounds to zero
		const uint32_t shift = 126 - (magnitude >> 23);        // how far the 24-bit significand lies above the half's last bit
		const uint32_t significand = (magnitude & 0x7fffff) | 0x800000;
		const uint32_t kept = significand >> shift;
		const uint32_t rest = significand & ((1u << shift) - 1);
		const uint32_t tie = 1u << (shift - 1);
		return sign | uint16_t(kept + (rest > tie || (rest == tie && (kept & 1))));
	}
	const uint32_t rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);  // nearest even; may carry into infinity, as it should
	return sign | uint16_t((rounded - 0x38000000) >> 13);
}

inline float bfloatToFloat(uint16_t value) { return std::bit_cast<float>(uint32_t(value) << 16); }

inline uint16_t floatToBfloat(float value) {
	const uint32_t bits = std::bit_cast<uint32_t>(value);
	if ((bits & 0x7fffffff) > 0x7f800000) return uint16_t((bits >> 16) | 64);  // NaN, made quiet
	return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace vkq
