// How the 32-weight formats (and IQ4_XS) lay out codes: byte j of 16 holds code j low and code j + 16 high. A fifth bit,
// where there is one, is bit j of four bytes read as a little-endian number.
#pragma once

#include <cstdint>

namespace vkq {

/// Low four bits of 32 codes.
inline void packNibbles(const uint8_t* codes, uint8_t* packed) {
	for (int j = 0; j < 16; ++j) packed[j] = uint8_t((codes[j] & 15) | (codes[j + 16] & 15) << 4);
}

inline void unpackNibbles(const uint8_t* packed, uint8_t* codes) {
	for (int j = 0; j < 16; ++j) {
		codes[j] = packed[j] & 15;
		codes[j + 16] = packed[j] >> 4;
	}
}

/// Fifth bits of 32 codes.
inline void packFifthBits(const uint8_t* codes, uint8_t* packed) {
	for (int byte = 0; byte < 4; ++byte) {
		int bits = 0;
		for (int bit = 0; bit < 8; ++bit) bits |= (codes[8 * byte + bit] >> 4 & 1) << bit;
		packed[byte] = uint8_t(bits);
	}
}

/// Adds the fifth bits to codes that unpackNibbles() wrote.
inline void unpackFifthBits(const uint8_t* packed, uint8_t* codes) {
	for (int j = 0; j < 32; ++j) codes[j] = uint8_t(codes[j] | (packed[j / 8] >> j % 8 & 1) << 4);
}

}  // namespace vkq
