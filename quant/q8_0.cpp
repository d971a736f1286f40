// Q8_0: 32 weights in 34 bytes, x = d * q. Importance is ignored.
//
//   byte 0        2                                  34
//        +--------+----------------------------------+
//        | d: f16 | codes[32]: i8, in order          |
//        +--------+----------------------------------+
#include "quant/block_codec.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

using Block = Q8_0Block;

/// To the nearest integer, ties away from zero, exactly: what is cut off a float is itself a float.
/// An infinite value (d so small that 1/d overflows) gives a multiple of 256, as truncateToInt() does.
inline int32_t roundAway(float value) {
	const int32_t whole = truncateToInt(value);
	const float cut_off = value - float(whole);
	return std::fabs(value) < 0x1p31f ? whole + int32_t(cut_off >= 0.5f) - int32_t(cut_off <= -0.5f) : 0;
}

VKQ_SIMD_CLONES void encode(const float* x, uint64_t row_elements, const float*, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32, x += 32, out += sizeof(Block)) {
		Block block;
		uint32_t largest = 0;  // of magnitudes, compared as bits: the order is that of the floats
		for (int j = 0; j < 32; ++j) {
			const uint32_t magnitude = std::bit_cast<uint32_t>(x[j]) & 0x7fffffff;
			largest = magnitude > largest ? magnitude : largest;
		}
		const float d = std::bit_cast<float>(largest) / 127;
		const float inverse = d != 0 ? 1 / d : 0.0f;
		block.d = floatToHalf(d);
		for (int j = 0; j < 32; ++j) block.codes[j] = int8_t(roundAway(x[j] * inverse));
		std::memcpy(out, &block, sizeof(Block));
	}
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	for (int j = 0; j < 32; ++j) out[j] = float(block.codes[j]) * d;
}

}  // namespace

const Codec kQ8_0Codec{TensorType::Q8_0, false, encode, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};

}  // namespace vkq
