// The best search of Q4_0 and Q5_0, x = d * (q - levels).
#include "quant/best_symmetric.h"

#include "quant/small_blocks.h"

namespace vkq {

namespace {

template <class Block>
struct Symmetric {
	static constexpr float kLow = -Block::kLevels, kHigh = Block::kLevels - 1;
	/// Around the scales that put the extreme at either end of the codes. Quarters are exact.
	static constexpr SymmetricStarts kStarts{Block::kLevels - 0.75f, Block::kLevels - 1.75f, 0.25f};

	template <class Weight>
	[[gnu::always_inline]] static void encodeBlock(const float* x, Weight weight, Block& block) {
		const auto nearest = [](float q) __attribute__((always_inline)) { return nearestWithin(q, kLow, kHigh); };
		const float extreme = signedExtreme32(x);
		const float d = bestSymmetricScale(x, weight, nearest, extreme, asHalf(extreme / kLow), kStarts);
		const float inverse = inverseOf(d);
		uint8_t codes[32];
		for (int j = 0; j < 32; ++j) codes[j] = uint8_t(int(nearest(inverse * x[j])) + Block::kLevels);
		block.d = floatToHalf(stretchedSymmetricScale(x, weight, nearest, d));
		packCodes(block, codes);
	}

	[[gnu::always_inline]] static void encodeRow(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
		encodeBestBlocks<Block>(x, row_elements, importance, out, [](const float* v, auto weight, Block& block) __attribute__((always_inline)) { encodeBlock(v, weight, block); });
	}
};

VKQ_SIMD_CLONES void encodeQ4_0(const float* x, uint64_t row_elements, const float* importance, std::byte* out) { Symmetric<Q4_0Block>::encodeRow(x, row_elements, importance, out); }
VKQ_SIMD_CLONES void encodeQ5_0(const float* x, uint64_t row_elements, const float* importance, std::byte* out) { Symmetric<Q5_0Block>::encodeRow(x, row_elements, importance, out); }

}  // namespace

const BestEncoder kBestQ4_0{TensorType::Q4_0, true, encodeQ4_0};
const BestEncoder kBestQ5_0{TensorType::Q5_0, true, encodeQ5_0};

}  // namespace vkq
