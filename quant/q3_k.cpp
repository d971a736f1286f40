// Q3_K: 256 weights in 110 bytes, x = d * (s_j - 32) * (q - 4), sixteen sub-blocks j of 16, s_j of 6 bits.
//
//   byte 0          32                         96           108      110
//        +----------+--------------------------+------------+--------+
//        | high[32] | low[64]                  | scales[12] | d: f16 |
//        +----------+--------------------------+------------+--------+
//   low: two_bit_planes.h. Third bit of weight i: bit i / 32 of high[i % 32].
//   scales: low four bits of s_j in nibble j / 8 of byte j % 8; high two in bits 2 (j / 4) of byte 8 + j % 4.
#include "quant/best_k_symmetric.h"
#include "quant/block_codec.h"
#include "quant/lane_search.h"
#include "quant/scale_search.h"
#include "quant/two_bit_planes.h"

namespace vkq {

namespace {

constexpr int kGroups = 16, kGroup = 16;

struct Block {
	static constexpr int kElements = 256;
	uint8_t high[32];
	uint8_t low[64];
	uint8_t scales[12];
	uint16_t d;
};
static_assert(sizeof(Block) == 110);

void packScales(const uint8_t* scale_codes, uint8_t* packed) {
	std::memset(packed, 0, 12);
	for (int j = 0; j < kGroups; ++j) {
		packed[j % 8] |= uint8_t((scale_codes[j] & 15) << 4 * (j / 8));
		packed[8 + j % 4] |= uint8_t(scale_codes[j] >> 4 << 2 * (j / 4));
	}
}

/// -32 .. 31
int unpackScale(const uint8_t* packed, int j) {
	return ((packed[j % 8] >> 4 * (j / 8) & 15) | (packed[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

void packCodes(const uint8_t* codes, Block& block) {
	std::memset(block.high, 0, sizeof(block.high));
	for (int i = 0; i < 256; ++i) block.high[i % 32] |= uint8_t(codes[i] >> 2 << i / 32);
	packTwoBits(codes, block.low);
}

/// The scale of largest magnitude becomes -32 times d. All-zero bytes when all are zero.
uint16_t quantizeByExtreme(const float* scales, uint8_t* packed) {
	const float extreme = signedExtreme(scales, kGroups);
	if (extreme == 0) {
		std::memset(packed, 0, 12);
		return 0;
	}
	uint8_t codes[kGroups];
	const float inverse = -32.0f / extreme;
	for (int j = 0; j < kGroups; ++j) codes[j] = uint8_t(clampInt(nearestInt(inverse * scales[j]), -32, 31) + 32);
	packScales(codes, packed);
	return floatToHalf(1 / inverse);
}

void encodeBlock(const float* x, const float* importance, Block& block) {
	uint8_t codes[256];
	float scales[kGroups], group_weight[kGroups];
	if (importance) {
		const float sigma2 = 2 * sumOfSquares(x, 256) / 256;
		float weights[256];
		for (int j = 0; j < kGroups; ++j)
			group_weight[j] = importanceWeights(kGroup, x + kGroup * j, importance + kGroup * j, sigma2, weights + kGroup * j);
		for (int j = 0; j < kGroups; j += kLanes) searchSymmetricLanes<kGroup>(4, x + kGroup * j, weights + kGroup * j, codes + kGroup * j, scales + j);
		uint8_t scale_codes[kGroups];
		block.d = floatToHalf(searchSymmetric(kGroups, 32, scales, group_weight, scale_codes));
		packScales(scale_codes, block.scales);
	} else {
		for (int j = 0; j < kGroups; ++j) scales[j] = searchSymmetricByMoves(kGroup, 4, x + kGroup * j, codes + kGroup * j);
		block.d = quantizeByExtreme(scales, block.scales);
	}
	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(block.d) * float(unpackScale(block.scales, j));
		if (scale == 0) continue;  // keeps the search's codes
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i) codes[i] = uint8_t(clampInt(nearestInt(x[i] / scale), -4, 3) + 4);
	}
	packCodes(codes, block);
}

void encodeBest(const float* x, const float* importance, Block& block) {
	BestKSymmetricBlock best;
	searchBestKSymmetric<4, 32>(x, importance, best);
	block.d = best.d;
	uint8_t scale_codes[kGroups];
	for (int j = 0; j < kGroups; ++j) scale_codes[j] = uint8_t(best.scales[j] + 32);
	packScales(scale_codes, block.scales);
	packCodes(best.codes, block);
}

void decodeBlock(const Block& block, float* out) {
	uint8_t codes[256];
	unpackTwoBits(block.low, codes);
	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(block.d) * float(unpackScale(block.scales, j));
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i) {
			const int high = block.high[i % 32] >> i / 32 & 1;
			out[i] = scale * float(codes[i] + 4 * high - 4);
		}
	}
}

}  // namespace

const Codec kQ3_KCodec{TensorType::Q3_K, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>, scalesFinite<Block, &Block::d>};
const BestEncoder kBestQ3_K{TensorType::Q3_K, true, encodeBlocks<Block, encodeBest>};

}  // namespace vkq
