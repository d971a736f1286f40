// How Q2_K and Q3_K lay out the low two bits of 256 codes: in each half of 128, byte l of 32 holds codes l, l + 32, l + 64
// and l + 96 from its low bits upwards.
#pragma once

#include <cstdint>

namespace vkq {

/// Low two bits of 256 codes into 64 bytes.
inline void packTwoBits(const uint8_t* codes, uint8_t* packed) {
	for (int half = 0; half < 2; ++half, codes += 128, packed += 32)
		for (int l = 0; l < 32; ++l)
			packed[l] = uint8_t((codes[l] & 3) | (codes[l + 32] & 3) << 2 | (codes[l + 64] & 3) << 4 | (codes[l + 96] & 3) << 6);
}

inline void unpackTwoBits(const uint8_t* packed, uint8_t* codes) {
	for (int half = 0; half < 2; ++half, codes += 128, packed += 32)
		for (int l = 0; l < 128; ++l) codes[l] = packed[l % 32] >> 2 * (l / 32) & 3;
}

}  // namespace vkq
