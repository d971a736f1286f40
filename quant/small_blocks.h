// The layouts of the formats whose blocks hold 32 weights, each drawn at the top of its format's file, and how codes become
// bytes of them: what the reference's encoders and the best ones (best_*.cpp) share.
#pragma once

#include "core/half.h"
#include "quant/nibbles.h"

#include <cstdint>
#include <cstring>

namespace vkq {

struct Q4_0Block {
	static constexpr int kElements = 32;
	static constexpr int kLevels = 8;   // x = d * (q - kLevels)
	uint16_t d;
	uint8_t codes[16];
};
static_assert(sizeof(Q4_0Block) == 18);

struct Q5_0Block {
	static constexpr int kElements = 32;
	static constexpr int kLevels = 16;
	uint16_t d;
	uint8_t fifth[4];
	uint8_t codes[16];
};
static_assert(sizeof(Q5_0Block) == 22);

struct Q4_1Block {
	static constexpr int kElements = 32;
	static constexpr int kLargest = 15;   // x = d * q + m, q <= kLargest
	uint16_t d;
	uint16_t m;
	uint8_t codes[16];
};
static_assert(sizeof(Q4_1Block) == 20);

struct Q5_1Block {
	static constexpr int kElements = 32;
	static constexpr int kLargest = 31;
	uint16_t d;
	uint16_t m;
	uint8_t fifth[4];
	uint8_t codes[16];
};
static_assert(sizeof(Q5_1Block) == 24);

struct Q8_0Block {
	static constexpr int kElements = 32;
	uint16_t d;
	int8_t codes[32];
};
static_assert(sizeof(Q8_0Block) == 34);

struct Iq4NlBlock {
	static constexpr int kElements = 32;
	uint16_t d;
	uint8_t codes[16];
};
static_assert(sizeof(Iq4NlBlock) == 18);

struct Mxfp4Block {
	static constexpr int kElements = 32;
	uint8_t exponent;
	uint8_t codes[16];
};
static_assert(sizeof(Mxfp4Block) == 17);

/// Codes of 32 weights into the block's own bytes for them.
template <class Block>
[[gnu::always_inline]] inline void packCodes(Block& block, const uint8_t* codes) {
	packNibbles(codes, block.codes);
	if constexpr (requires { block.fifth; }) packFifthBits(codes, block.fifth);
}

}  // namespace vkq
