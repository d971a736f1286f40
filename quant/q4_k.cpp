// Q4_K: 256 weights in 144 bytes, x = d * s_j * q - dmin * m_j, eight sub-blocks j of 32.
//
//   byte 0        2           4            16                                    144
//        +--------+-----------+------------+-------------------------------------+
//        | d: f16 | dmin: f16 | scales[12] | codes[128]                          |
//        +--------+-----------+------------+-------------------------------------+
//   scales: see affine_super_block.h. Byte 32c + l of the codes: low nibble = weight 64c + l, high nibble = weight 64c + 32 + l.
#include "quant/affine_super_block.h"
#include "quant/block_codec.h"

namespace vkq {

namespace {

struct Block {
	static constexpr int kElements = 256;
	uint16_t d;
	uint16_t dmin;
	uint8_t scales[12];
	uint8_t codes[128];
};
static_assert(sizeof(Block) == 144);

constexpr AffineFormat kFormat{.largest_code = 15, .plain = {-1.0f, 0.1f, 20}, .clamps_scales = false};

void layOut(const AffineSuperBlock& wide, Block& block) {
	block.d = wide.d;
	block.dmin = wide.dmin;
	std::memcpy(block.scales, wide.scales, sizeof(block.scales));
	for (int c = 0; c < 4; ++c)
		for (int l = 0; l < 32; ++l) block.codes[32 * c + l] = uint8_t(wide.codes[64 * c + l] | wide.codes[64 * c + 32 + l] << 4);
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
			wide.codes[64 * c + l] = block.codes[32 * c + l] & 15;
			wide.codes[64 * c + 32 + l] = block.codes[32 * c + l] >> 4;
		}
	decodeAffineSuperBlock(wide, out);
}

}  // namespace

const Codec kQ4_KCodec{TensorType::Q4_K, true, encodeBlocks<Block, encodeBlock>, decodeBlocks<Block, decodeBlock>,
                       scalesFinite<Block, &Block::d, &Block::dmin>};
const BestEncoder kBestQ4_K{TensorType::Q4_K, true, encodeBlocks<Block, encodeBest>};

}  // namespace vkq
