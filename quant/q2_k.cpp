// Q2_K: 256 weights in 84 bytes, x = d * s_j * q - dmin * m_j, sixteen sub-blocks j of 16, s_j and m_j of 4 bits.
//
//   byte 0            16                         80       82         84
//        +------------+--------------------------+--------+-----------+
//        | scales[16] | codes[64]                | d: f16 | dmin: f16 |   scales[j] = s_j | m_j << 4; two_bit_planes.h
//        +------------+--------------------------+--------+-----------+
#include "quant/best_k_affine.h"
#include "quant/block_codec.h"
#include "quant/lane_search.h"
#include "quant/scale_search.h"
#include "quant/two_bit_planes.h"

#include <algorithm>

namespace vkq {

namespace {

constexpr int kGroups = 16, kGroup = 16;

struct Block {
	static constexpr int kElements = 256;
	uint8_t scales[16];
	uint8_t codes[64];
	uint16_t d;
	uint16_t dmin;
};
static_assert(sizeof(Block) == 84);

constexpr AffineSweep kPlainSweep{-0.5f, 0.1f, 15};

/// Multiples of a fifteenth of the largest; all zero when none is above zero.
uint16_t quantizeByMaximum(const float* values, uint8_t* codes) {
	float largest = 0;
	for (int j = 0; j < kGroups; ++j) largest = std::max(largest, values[j]);
	if (!(largest > 0)) {
		std::memset(codes, 0, kGroups);
		return 0;
	}
	const float inverse = 15 / largest;
	for (int j = 0; j < kGroups; ++j) codes[j] = uint8_t(nearestInt(inverse * values[j]));
	return floatToHalf(largest / 15);
}

void encodeBlock(const float* x, const float* importance, Block& block) {
	uint8_t codes[256], scale_codes[kGroups], minimum_codes[kGroups];
	float scales[kGroups], minima[kGroups], group_weight[kGroups], weights[256];
	const float sigma2 = importance ? sumOfSquares(x, 256) / 256 : 0.0f;
	if (importance) {
		for (int j = 0; j < kGroups; ++j)
			group_weight[j] = importanceWeights(kGroup, x + kGroup * j, importance + kGroup * j, sigma2, weights + kGroup * j);
	} else {
		for (int i = 0; i < 256; ++i) weights[i] = std::fabs(x[i]);
	}
	for (int j = 0; j < kGroups; j += kLanes) {
		const int first = kGroup * j;
		searchAffineLanes<kGroup>(3, x + first, weights + first, importance ? kImportanceSweep : kPlainSweep,
		                          importance ? AffineError::kSquared : AffineError::kAbsolute, codes + first, scales + j, minima + j);
	}
	if (importance) {
		block.d = floatToHalf(searchPositive(kGroups, 15, scales, group_weight, scale_codes));
		block.dmin = floatToHalf(searchPositive(kGroups, 15, minima, group_weight, minimum_codes));
	} else {
		block.d = quantizeByMaximum(scales, scale_codes);
		block.dmin = quantizeByMaximum(minima, minimum_codes);
	}
	for (int j = 0; j < kGroups; ++j) block.scales[j] = uint8_t(scale_codes[j] | minimum_codes[j] << 4);

	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(block.d) * float(block.scales[j] & 15);
		if (scale == 0) continue;  // keeps the search's codes
		const float minimum = halfToFloat(block.dmin) * float(block.scales[j] >> 4);
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i) codes[i] = uint8_t(clampInt(nearestInt((x[i] + minimum) / scale), 0, 3));
	}
	packTwoBits(codes, block.codes);
}

void encodeBest(const float* x, const float* importance, Block& block) {
	BestKAffineBlock best;
	searchBestKAffine<kGroup, 3, 15>(x, importance, best);
	block.d = best.d;
	block.dmin = best.dmin;
	for (int j = 0; j < kGroups; ++j) block.scales[j] = uint8_t(best.scales[j] | best.minima[j] << 4);
	packTwoBits(best.codes, block.codes);
}

void decodeBlock(const Block& block, float* out) {
	uint8_t codes[256];
	unpackTwoBits(block.codes, codes);
	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(block.d) * float(block.scales[j] & 15);
		const float minimum = halfToFloat(block.dmin) * float(block.scales[j] >> 4);
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i) out[i] = scale * float(codes[i]) - minimum;
	}
}

}  // namespace

const Codec kQ2_KCodec{TensorType::Q2_K, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>,
                       scalesFinite<Block, &Block::d, &Block::dmin>};
const BestEncoder kBestQ2_K{TensorType::Q2_K, true, encodeBlocks<Block, encodeBest>};

}  // namespace vkq
