// IQ4_NL: 32 weights in 18 bytes, x = d * kIq4Values[q].
//
//   byte 0        2                                  18
//        +--------+----------------------------------+
//        | d: f16 | codes[16]                        |   nibbles.h
//        +--------+----------------------------------+
#include "quant/block_codec.h"
#include "quant/iq4.h"
#include "quant/lane_search.h"
#include "quant/small_blocks.h"
#include "quant/scale_search.h"

#include <algorithm>

namespace vkq {

namespace {

using Block = Iq4NlBlock;

/// Eight blocks are searched at once, and what is left of a row one after the other.
void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32 * kLanes, x += 32 * kLanes) {
		const int blocks = int(std::min<uint64_t>(kLanes, (row_elements - at) / 32));
		float all_weights[32 * kLanes], scales[kLanes];
		const float* weights = importance ? all_weights : nullptr;
		if (importance)
			for (int b = 0; b < blocks; ++b)
				importanceWeights(32, x + 32 * b, importance + at + 32 * b, sumOfSquares(x + 32 * b, 32) * (2.0f / 32), all_weights + 32 * b);
		if (blocks == kLanes) searchIq4ScaleLanes(x, weights, scales);
		else
			for (int b = 0; b < blocks; ++b) scales[b] = searchIq4Scale(x + 32 * b, weights ? weights + 32 * b : nullptr);
		for (int b = 0; b < blocks; ++b, out += sizeof(Block)) {
			Block block;
			block.d = floatToHalf(scales[b]);
			uint8_t codes[32];
			nearestIq4Codes(x + 32 * b, scales[b] != 0 ? 1 / scales[b] : 0.0f, codes);  // of the scale before it became a half
			packCodes(block, codes);
			std::memcpy(out, &block, sizeof(Block));
		}
	}
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	uint8_t codes[32];
	unpackNibbles(block.codes, codes);
	for (int j = 0; j < 32; ++j) out[j] = d * float(kIq4Values[codes[j]]);
}

}  // namespace

const Codec kIq4NlCodec{TensorType::IQ4_NL, true, encode, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
