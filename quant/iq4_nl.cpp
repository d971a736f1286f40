// IQ4_NL: 32 weights in 18 bytes, x = d * kIq4Values[q].
//
//   byte 0        2                                  18
//        +--------+----------------------------------+
//        | d: f16 | codes[16]                        |   nibbles.h
//        +--------+----------------------------------+
#include "quant/block_codec.h"
#include "quant/iq4.h"
#include "quant/nibbles.h"
#include "quant/scale_search.h"

namespace vkq {

namespace {

struct Block {
	static constexpr int kElements = 32;
	uint16_t d;
	uint8_t codes[16];
};
static_assert(sizeof(Block) == 18);

void encodeBlock(const float* x, const float* importance, Block& block) {
	float weights[32];
	if (importance) importanceWeights(32, x, importance, sumOfSquares(x, 32) * (2.0f / 32), weights);
	const float d = searchIq4Scale(x, importance ? weights : nullptr);
	block.d = floatToHalf(d);
	uint8_t codes[32];
	nearestIq4Codes(x, d != 0 ? 1 / d : 0.0f, codes);  // of the scale before it became a half
	packNibbles(codes, block.codes);
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	uint8_t codes[32];
	unpackNibbles(block.codes, codes);
	for (int j = 0; j < 32; ++j) out[j] = d * float(kIq4Values[codes[j]]);
}

}  // namespace

const Codec kIq4NlCodec{TensorType::IQ4_NL, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
