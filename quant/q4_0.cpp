// Q4_0: 32 weights in 18 bytes, x = d * (q - 8).
//
//   byte 0        2                                  18
//        +--------+----------------------------------+
//        | d: f16 | codes[16]                        |   nibbles.h
//        +--------+----------------------------------+
#include "quant/legacy_search.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

using Block = Q4_0Block;

[[gnu::always_inline]] inline void pack(Block& block, const uint8_t* codes, float scale, float ) {
	block.d = floatToHalf(scale);
	packCodes(block, codes);
}

VKQ_SIMD_CLONES void encodePlain(const float* x, uint64_t row_elements, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32, out += sizeof(Block)) {
		Block block;
		uint8_t codes[32];
		const float scale = quantizeSymmetric<8>(x + at, codes);
		pack(block, codes, scale, 0);
		std::memcpy(out, &block, sizeof(Block));
	}
}

void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	if (importance) encodeWeightedSymmetric<Block, 8, pack>(x, row_elements, importance, out);
	else encodePlain(x, row_elements, out);
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	uint8_t codes[32];
	unpackNibbles(block.codes, codes);
	for (int j = 0; j < 32; ++j) out[j] = d * float(codes[j] - 8);
}

}  // namespace

const Codec kQ4_0Codec{TensorType::Q4_0, true, encode, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
