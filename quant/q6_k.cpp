// Q6_K: 256 weights in 210 bytes, x = d * s_j * (q - 32), sixteen sub-blocks j of 16.
//
//   byte 0                      128        192               208     210
//        +----------------------+----------+-----------------+--------+
//        | low[128]             | high[64] | scales[16]: i8  | d: f16 |
//        +----------------------+----------+-----------------+--------+
//   In each half h of 128 weights, for l = 0..31 and quarter k = 0..3, weight 128h + 32k + l has its low four bits in
//   low[64h + 32 (k % 2) + l] (nibble k / 2) and its high two in bits 2k of high[32h + l].
#include "quant/best_k_symmetric.h"
#include "quant/block_codec.h"
#include "quant/lane_search.h"
#include "quant/scale_search.h"

#include <algorithm>

namespace vkq {

namespace {

struct Block {
	static constexpr int kElements = 256;
	uint8_t low[128];
	uint8_t high[64];
	int8_t scales[16];
	uint16_t d;
};
static_assert(sizeof(Block) == 210);

void packCodes(const uint8_t* codes, Block& block) {
	for (int h = 0; h < 2; ++h)
		for (int l = 0; l < 32; ++l) {
			const uint8_t* q = codes + 128 * h + l;
			block.low[64 * h + l] = uint8_t((q[0] & 15) | (q[64] & 15) << 4);
			block.low[64 * h + 32 + l] = uint8_t((q[32] & 15) | (q[96] & 15) << 4);
			block.high[32 * h + l] = uint8_t(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
		}
}

void encodeBlock(const float* x, const float* importance, Block& block) {
	uint8_t codes[256];
	float scales[16];
	for (int j = 0; j < 16; j += kLanes) searchSymmetricLanes<16>(32, x + 16 * j, importance ? importance + 16 * j : nullptr, codes + 16 * j, scales + j);
	float magnitude;
	const float extreme = signedExtreme(scales, 16, &magnitude);
	if (magnitude < kZeroGroup) {
		std::memset(&block, 0, sizeof(Block));
		return;
	}
	const float inverse = -128.0f / extreme;
	block.d = floatToHalf(1 / inverse);
	for (int j = 0; j < 16; ++j) block.scales[j] = int8_t(std::min(127, nearestInt(inverse * scales[j])));
	for (int j = 0; j < 16; ++j) {
		const float scale = halfToFloat(block.d) * float(block.scales[j]);
		if (scale == 0) continue;  // keeps the search's codes
		for (int i = 16 * j; i < 16 * (j + 1); ++i) codes[i] = uint8_t(clampInt(nearestInt(x[i] / scale), -32, 31) + 32);
	}
	packCodes(codes, block);
}

void encodeBest(const float* x, const float* importance, Block& block) {
	BestKSymmetricBlock best;
	searchBestKSymmetric<32, 128>(x, importance, best);
	block.d = best.d;
	std::memcpy(block.scales, best.scales, sizeof(block.scales));
	packCodes(best.codes, block);
}

void decodeBlock(const Block& block, float* out) {
	const float d = halfToFloat(block.d);
	for (int h = 0; h < 2; ++h)
		for (int k = 0; k < 4; ++k)
			for (int l = 0; l < 32; ++l) {
				const int low = block.low[64 * h + 32 * (k % 2) + l] >> 4 * (k / 2) & 15;
				const int high = block.high[32 * h + l] >> 2 * k & 3;
				const float scale = d * float(block.scales[8 * h + 2 * k + l / 16]);
				out[128 * h + 32 * k + l] = scale * float((low | high << 4) - 32);
			}
}

}  // namespace

const Codec kQ6_KCodec{TensorType::Q6_K, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};
const BestEncoder kBestQ6_K{TensorType::Q6_K, true, encodeBlocks<Block, encodeBest>};

}  // namespace vkq
