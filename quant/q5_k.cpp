// Q5_K: 256 weights in 176 bytes, x = d * s_j * q - dmin * m_j, eight sub-blocks j of 32.
//
//   byte 0        2           4            16         48                         176
//        +--------+-----------+------------+----------+--------------------------+
//        | d: f16 | dmin: f16 | scales[12] | high[32] | low[128]                 |
//        +--------+-----------+------------+----------+--------------------------+
//   scales: see affine_super_block.h. Byte 32c + l of low: low nibble = weight 64c + l, high nibble = weight 64c + 32 + l;
//   their fifth bits are bits 2c and 2c + 1 of high[l].
#include "quant/affine_super_block.h"
#include "quant/block_codec.h"

namespace vkq {

namespace {

struct Block {
	static constexpr int kElements = 256;
	uint16_t d;
	uint16_t dmin;
	uint8_t scales[12];
	uint8_t high[32];
	uint8_t low[128];
};
static_assert(sizeof(Block) == 176);

constexpr AffineFormat kFormat{.largest_code = 31, .plain = {-0.5f, 0.1f, 15}, .clamps_scales = true};

void layOut(const AffineSuperBlock& wide, Block& block) {
	block.d = wide.d;
	block.dmin = wide.dmin;
	std::memcpy(block.scales, wide.scales, sizeof(block.scales));
	std::memset(block.high, 0, sizeof(block.high));
	for (int c = 0; c < 4; ++c)
		for (int l = 0; l < 32; ++l) {
			const int first = wide.codes[64 * c + l], second = wide.codes[64 * c + 32 + l];
			block.low[32 * c + l] = uint8_t((first & 15) | (second & 15) << 4);
			block.high[l] |= uint8_t(first >> 4 << 2 * c | second >> 4 << (2 * c + 1));
		}
}

void encodeBlock(const float* x, const float* importance, Block& block) {
	AffineSuperBlock wide;
	encodeAffineSuperBlock(kFormat, x, importance, wide);
	layOut(wide, block);
}

void encodeBest(const float* x, const float* importance, Block& block) {
	AffineSuperBlock wide;
	encodeBestAffineSuperBlock(kFormat, x, importance, wide);
	layOut(wide, block);
}

void decodeBlock(const Block& block, float* out) {
	AffineSuperBlock wide;
	wide.d = block.d;
	wide.dmin = block.dmin;
	std::memcpy(wide.scales, block.scales, sizeof(block.scales));
	for (int c = 0; c < 4; ++c)
		for (int l = 0; l < 32; ++l) {
			wide.codes[64 * c + l] = uint8_t((block.low[32 * c + l] & 15) | (block.high[l] >> 2 * c & 1) << 4);
			wide.codes[64 * c + 32 + l] = uint8_t(block.low[32 * c + l] >> 4 | (block.high[l] >> (2 * c + 1) & 1) << 4);
		}
	decodeAffineSuperBlock(wide, out);
}

}  // namespace

const Codec kQ5_KCodec{TensorType::Q5_K, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>,
                       scalesFinite<Block, &Block::d, &Block::dmin>};
const BestEncoder kBestQ5_K{TensorType::Q5_K, true, encodeBlocks<Block, encodeBest>};

}  // namespace vkq
