// IQ4_XS: 256 weights in 136 bytes, x = d * (s_j - 32) * kIq4Values[q], eight sub-blocks j of 32, s_j of 6 bits.
//
//   byte 0        2                4              8                          136
//        +--------+----------------+--------------+--------------------------+
//        | d: f16 | scale_high: 16 | scale_low[4] | codes[8][16]             |   nibbles.h
//        +--------+----------------+--------------+--------------------------+
//   Low four bits of s_j: nibble j % 2 of scale_low[j / 2]; high two: bits 2j of scale_high.
#include "quant/block_codec.h"
#include "quant/iq4.h"
#include "quant/lane_search.h"
#include "quant/nibbles.h"
#include "quant/scale_search.h"

namespace vkq {

namespace {

using Block = Iq4XsBlock;
constexpr int kGroups = Block::kGroups;

void encodeBlock(const float* x, const float* importance, Block& block) {
	const float sigma2 = importance ? sumOfSquares(x, 256) * (2.0f / 256) : 0.0f;
	static_assert(kGroups == kLanes);
	float scales[kGroups], weights[256];
	if (importance) importanceWeights(256, x, importance, sigma2, weights);
	searchIq4ScaleLanes(x, importance ? weights : nullptr, scales);
	// The codes follow the scale before it becomes a half.
	const float d = -signedExtreme(scales, kGroups) / 32;
	const float inverse = d != 0 ? 1 / d : 0.0f;
	block.d = floatToHalf(d);
	block.scale_high = 0;
	std::memset(block.scale_low, 0, sizeof(block.scale_low));
	for (int j = 0; j < kGroups; ++j) {
		const int level = clampInt(nearestInt(inverse * scales[j]), -32, 31);
		const float scale = d * float(level);
		uint8_t codes[32];
		nearestIq4Codes(x + 32 * j, scale != 0 ? 1 / scale : 0.0f, codes);
		packNibbles(codes, block.codes[j]);
		block.addLevel(j, level);
	}
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	for (int j = 0; j < kGroups; ++j) {
		const int level = ((block.scale_low[j / 2] >> 4 * (j % 2) & 15) | (block.scale_high >> 2 * j & 3) << 4) - 32;
		const float scale = d * float(level);
		uint8_t codes[32];
		unpackNibbles(block.codes[j], codes);
		for (int i = 0; i < 32; ++i) out[32 * j + i] = scale * float(kIq4Values[codes[i]]);
	}
}

}  // namespace

const Codec kIq4XsCodec{TensorType::IQ4_XS, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
