// MXFP4: 32 weights in 17 bytes, x = 2^(e - 128) * kMxfp4Values[q]. Importance is ignored.
//
//   byte 0    1                                  17
//        +----+----------------------------------+
//        | e  | codes[16]                        |   nibbles.h
//        +----+----------------------------------+
#include "quant/mxfp4.h"

#include "quant/block_codec.h"
#include "quant/small_blocks.h"

#include <bit>

namespace vkq {

namespace {

using Block = Mxfp4Block;

constexpr uint8_t kNotANumber = 0xff;

}  // namespace

uint8_t mxfp4Exponent(float magnitude) {
	uint32_t bits = std::bit_cast<uint32_t>(magnitude);
	if (bits == 0) return 0;
	int power = int(bits >> 23) - 127;
	uint32_t significand = (bits & 0x7fffff) | 0x800000;
	if (power == -127) {  // subnormal
		const int shift = std::countl_zero(bits) - 8;
		significand = bits << shift;
		power = -126 - shift;
	}
	// log2 of 2^next * (1 - gap / 2^24) is next - gap / (2^24 ln 2); it rounds to `next` while that is at most half the spacing
	// of floats there, 2^(floor(log2 |next|) - 24) (from the next lower octave when approached from below).
	const int next = power + 1;
	const uint32_t octave = uint32_t(next > 0 ? next - 1 : -next);
	const uint32_t gap = 0x1000000 - significand;
	const bool rounds_up = octave > 0 && gap <= 88u >> (8 - std::bit_width(octave));
	return uint8_t((rounds_up ? next : power) + 125);
}

float mxfp4Scale(uint8_t exponent) {
	return std::bit_cast<float>(exponent < 2 ? 0x00200000u << exponent : uint32_t(exponent - 1) << 23);
}

namespace {

VKQ_SIMD_CLONES void encode(const float* x, uint64_t row_elements, const float*, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 32, x += 32, out += sizeof(Block)) {
		Block block;
		float magnitude;
		signedExtreme(x, 32, &magnitude);
		block.exponent = mxfp4Exponent(magnitude);
		const float scale = mxfp4Scale(block.exponent);
		// The first of the nearest values.
		float nearest[32];
		int32_t code[32];
		for (int j = 0; j < 32; ++j) nearest[j] = std::fabs(0 * scale - x[j]), code[j] = 0;
		for (int i = 1; i < 16; ++i)
			for (int j = 0; j < 32; ++j) {
				const float distance = std::fabs(float(kMxfp4Values[i]) * scale - x[j]);
				code[j] = distance < nearest[j] ? i : code[j];
				nearest[j] = distance < nearest[j] ? distance : nearest[j];
			}
		uint8_t codes[32];
		for (int j = 0; j < 32; ++j) codes[j] = uint8_t(code[j]);
		packCodes(block, codes);
		std::memcpy(out, &block, sizeof(Block));
	}
}

void decodeBlock(const Block& block, float* out) {
	const float scale = mxfp4Scale(block.exponent);
	uint8_t codes[32];
	unpackNibbles(block.codes, codes);
	for (int j = 0; j < 32; ++j) out[j] = scale * float(kMxfp4Values[codes[j]]);
}

bool finite(const std::byte* in, uint64_t elements) {
	for (uint64_t i = 0; i < elements; i += Block::kElements, in += sizeof(Block))
		if (uint8_t(*in) == kNotANumber) return false;
	return true;
}

}  // namespace

const Codec kMxfp4Codec{TensorType::MXFP4, false, encode, decodeBlocks<Block, decodeBlock>, finite};

}  // namespace vkq
