// The best search of Q8_0, x = d * q: seventeen scales around the reference's, each judged by the error that it has as a half.
#include "quant/best_search.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

constexpr float kMost = 127;
constexpr int kStarts = 17;

template <class Weight>
[[gnu::always_inline]] inline void encodeBlock(const float* x, Weight weight, Q8_0Block& block) {
	const float largest = std::fabs(signedExtreme32(x));
	float d = 0, best = 0;
	for (int i = 0; i < kStarts; ++i) {
		const float scale = asHalf(largest / (kMost + 1 - 0.125f * float(i)));   // the smallest first: if that does not fit a half, none does
		const float inverse = inverseOf(scale);
		const float error = sum32([&](int j) __attribute__((always_inline)) {
			const float difference = x[j] - scale * nearestWithin(inverse * x[j], -kMost, kMost);
			return weight(j, difference) * difference;
		});
		if (i == 0 || error < best) d = scale, best = error;
	}
	block.d = floatToHalf(d);
	const float inverse = inverseOf(d);
	for (int j = 0; j < 32; ++j) block.codes[j] = int8_t(int(nearestWithin(inverse * x[j], -kMost, kMost)));
}

VKQ_SIMD_CLONES void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	encodeBestBlocks<Q8_0Block>(x, row_elements, importance, out, [](const float* v, auto weight, Q8_0Block& block) __attribute__((always_inline)) { encodeBlock(v, weight, block); });
}

}  // namespace

const BestEncoder kBestQ8_0{TensorType::Q8_0, true, encode};

}  // namespace vkq
