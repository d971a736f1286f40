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
	static constexpr AffineFormat kFormat{.largest_code = 31, .plain = {-0.5f, 0.1f, 15}, .clamps_scales = true};
	uint16_t d;
	uint16_t dmin;
	uint8_t scales[12];
	uint8_t high[32];
	uint8_t low[128];

	void pack(const uint8_t* wide) {
		std::memset(high, 0, sizeof(high));
		for (int c = 0; c < 4; ++c)
			for (int l = 0; l < 32; ++l) {
				const int first = wide[64 * c + l], second = wide[64 * c + 32 + l];
				low[32 * c + l] = uint8_t((first & 15) | (second & 15) << 4);
				high[l] |= uint8_t(first >> 4 << 2 * c | second >> 4 << (2 * c + 1));
			}
	}
	void unpack(uint8_t* wide) const {
		for (int c = 0; c < 4; ++c)
			for (int l = 0; l < 32; ++l) {
				wide[64 * c + l] = uint8_t((low[32 * c + l] & 15) | (high[l] >> 2 * c & 1) << 4);
				wide[64 * c + 32 + l] = uint8_t(low[32 * c + l] >> 4 | (high[l] >> (2 * c + 1) & 1) << 4);
			}
	}
};
static_assert(sizeof(Block) == 176);

}  // namespace

const Codec kQ5_KCodec{TensorType::Q5_K, true, encodeBlocks<Block, encodeAffineBlock<Block, encodeAffineSuperBlock>>, decodeBlocks<Block, decodeAffineBlock<Block>>,
                       scalesFinite<Block, &Block::d, &Block::dmin>};
const BestEncoder kBestQ5_K{TensorType::Q5_K, true, encodeBlocks<Block, encodeAffineBlock<Block, encodeBestAffineSuperBlock>>};

}  // namespace vkq
