// Q4_0: 32 weights in 18 bytes, x = d * (q - 8).
//
//   byte 0        2                                  18
//        +--------+----------------------------------+
//        | d: f16 | codes[16]                        |   byte j: low nibble = weight j, high nibble = weight j + 16
//        +--------+----------------------------------+
#include "quant/block_codec.h"
#include "quant/scale_search.h"

#include <algorithm>

namespace vkq {

namespace {

struct Block {
	static constexpr int kElements = 32;
	uint16_t d;
	uint8_t codes[16];
};
static_assert(sizeof(Block) == 18);

VKQ_SIMD_CLONES void encodePlain(const float* x, uint64_t row_elements, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32, x += 32, out += sizeof(Block)) {
		Block block;
		const float d = signedExtreme(x, 32) / -8;
		const float inverse = d != 0 ? 1 / d : 0.0f;
		block.d = floatToHalf(d);
		// -extreme maps to 16.5: cut to 16 and clamped. The other end needs no clamp.
		uint8_t code[32];
		for (int j = 0; j < 32; ++j) code[j] = uint8_t(std::min<int8_t>(15, int8_t(truncateToInt(x[j] * inverse + 8.5f))));
		for (int j = 0; j < 16; ++j) block.codes[j] = uint8_t(code[j] | code[j + 16] << 4);
		std::memcpy(out, &block, sizeof(Block));
	}
}

void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	if (!importance) return encodePlain(x, row_elements, out);
	const float sigma2 = sumOfSquares(x, row_elements) / float(row_elements);
	for (uint64_t at = 0; at < row_elements; at += 32, out += sizeof(Block)) {
		Block block;
		float weights[32];
		uint8_t code[32];
		importanceWeights(32, x + at, importance + at, sigma2, weights);
		block.d = floatToHalf(searchSymmetric(32, 8, x + at, weights, code));
		for (int j = 0; j < 16; ++j) block.codes[j] = uint8_t(code[j] | code[j + 16] << 4);
		std::memcpy(out, &block, sizeof(Block));
	}
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	for (int j = 0; j < 16; ++j) {
		out[j] = float((block.codes[j] & 15) - 8) * d;
		out[j + 16] = float((block.codes[j] >> 4) - 8) * d;
	}
}

}  // namespace

const Codec kQ4_0Codec{TensorType::Q4_0, true, encode, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
