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
	static constexpr AffineFormat kFormat{.largest_code = 15, .plain = {-1.0f, 0.1f, 20}, .clamps_scales = false};
	uint16_t d;
	uint16_t dmin;
	uint8_t scales[12];
	uint8_t codes[128];

	void pack(const uint8_t* wide) {
		for (int c = 0; c < 4; ++c)
			for (int l = 0; l < 32; ++l) codes[32 * c + l] = uint8_t(wide[64 * c + l] | wide[64 * c + 32 + l] << 4);
	}
	void unpack(uint8_t* wide) const {
		for (int c = 0; c < 4; ++c)
			for (int l = 0; l < 32; ++l) {
				wide[64 * c + l] = codes[32 * c + l] & 15;
				wide[64 * c + 32 + l] = codes[32 * c + l] >> 4;
			}
	}
};
static_assert(sizeof(Block) == 144);

}  // namespace

const Codec kQ4_KCodec{TensorType::Q4_K, true, encodeBlocks<Block, encodeAffineBlock<Block, encodeAffineSuperBlock>>, decodeBlocks<Block, decodeAffineBlock<Block>>,
                       scalesFinite<Block, &Block::d, &Block::dmin>};
const BestEncoder kBestQ4_K{TensorType::Q4_K, true, encodeBlocks<Block, encodeAffineBlock<Block, encodeBestAffineSuperBlock>>};

}  // namespace vkq
