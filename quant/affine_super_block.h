// Q4_K and Q5_K are one format with different code widths: 256 weights as eight sub-blocks of 32, x = d * s_j * q - dmin * m_j,
// where s_j and m_j are 6-bit integers. This is the part that they share; q4_k.cpp and q5_k.cpp lay the codes out.
//
// scales[12] holds the sixteen 6-bit integers:
//
//   byte 0..3    s_j | (s_{j+4} >> 4) << 6                 j = 0..3
//   byte 4..7    m_j | (m_{j+4} >> 4) << 6
//   byte 8..11   (s_{j+4} & 15) | (m_{j+4} & 15) << 4
#pragma once

#include "quant/scale_search.h"

#include <cstdint>
#include <cstring>

namespace vkq {

struct AffineSuperBlock {
	uint16_t d;
	uint16_t dmin;
	uint8_t scales[12];
	uint8_t codes[256];   // one a byte, element order
};

struct AffineFormat {
	int largest_code;
	AffineSweep plain;    // without importance; with importance both formats sweep alike
	/// Where a search ends with a negative scale (importance zero for all but a few weights), its code is a byte near 255.
	/// Q5_K cuts it to 63; Q4_K packs all eight bits, which spill into the neighbour's.
	bool clamps_scales;
};

void encodeAffineSuperBlock(const AffineFormat& format, const float* x, const float* importance, AffineSuperBlock& out);

/// The same for Search::kBest (best_k_affine.h).
void encodeBestAffineSuperBlock(const AffineFormat& format, const float* x, const float* importance, AffineSuperBlock& out);

/// out[i] = d * s_j * codes[i] - dmin * m_j
void decodeAffineSuperBlock(const AffineSuperBlock& block, float* out);

/// The encoders and the decoder of a format's own Block, which has kFormat, and lays codes out: pack(codes), unpack(codes).
template <class Block, void (*kEncode)(const AffineFormat& format, const float* x, const float* importance, AffineSuperBlock& out)>
void encodeAffineBlock(const float* x, const float* importance, Block& block) {
	AffineSuperBlock wide;
	kEncode(Block::kFormat, x, importance, wide);
	block.d = wide.d;
	block.dmin = wide.dmin;
	std::memcpy(block.scales, wide.scales, sizeof(block.scales));
	block.pack(wide.codes);
}

template <class Block>
void decodeAffineBlock(const Block& block, float* out) {
	AffineSuperBlock wide;
	wide.d = block.d;
	wide.dmin = block.dmin;
	std::memcpy(wide.scales, block.scales, sizeof(block.scales));
	block.unpack(wide.codes);
	decodeAffineSuperBlock(wide, out);
}

}  // namespace vkq
