// Q4_1: 32 weights in 20 bytes, x = d * q + m.
//
//   byte 0        2        4                                  20
//        +--------+--------+----------------------------------+
//        | d: f16 | m: f16 | codes[16]                        |   nibbles.h
//        +--------+--------+----------------------------------+
#include "quant/legacy_search.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

using Block = Q4_1Block;

[[gnu::always_inline]] inline void pack(Block& block, const uint8_t* codes, float scale, float offset) {
	block.d = floatToHalf(scale);
	block.m = floatToHalf(-offset);
	packCodes(block, codes);
}

VKQ_SIMD_CLONES void encodePlain(const float* x, uint64_t row_elements, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32, out += sizeof(Block)) {
		Block block;
		uint8_t codes[32];
		float minimum;
		const float scale = quantizeAffine<15>(x + at, codes, &minimum);
		for (uint8_t& code : codes) code = uint8_t(std::min<int8_t>(15, int8_t(code)));
		pack(block, codes, scale, -minimum);
		std::memcpy(out, &block, sizeof(Block));
	}
}

void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	if (importance) encodeWeightedAffine<Block, 15, pack>(x, row_elements, importance, out);
	else encodePlain(x, row_elements, out);
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d), m = halfToFloat(block.m);
	uint8_t codes[32];
	unpackNibbles(block.codes, codes);
	for (int j = 0; j < 32; ++j) out[j] = d * float(codes[j]) + m;
}

}  // namespace

const Codec kQ4_1Codec{TensorType::Q4_1, true, encode, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d, &Block::m>};

}  // namespace vkq
