// The best search of MXFP4, x = 2^(e - 128) * kMxfp4Values[q]: the reference's exponent and its two neighbours, judged by their errors.
#include "quant/best_search.h"
#include "quant/mxfp4.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

constexpr int kLargestExponent = 254;   // 255 says that the block is not a number

/// How many middles between neighbouring values the magnitude is above: the code of the nearest value, the lower of two equally
/// near. No quotient: the smallest scales have no finite inverse.
[[gnu::always_inline]] inline int32_t aboveMiddles(float magnitude, float scale, int32_t second, int32_t last) {
	return (magnitude > 0.5f * scale) + (magnitude > 1.5f * scale) + (magnitude > 2.5f * scale) + (magnitude > 3.5f * scale) +
	       second * ((magnitude > 5 * scale) + (magnitude > 7 * scale)) + last * (magnitude > 10 * scale);
}

[[gnu::always_inline]] inline int32_t magnitudeCode(float magnitude, float scale) { return aboveMiddles(magnitude, scale, 1, 1); }

/// kMxfp4Values of that code: 1 apart up to code 4, then 2, 2 and 4.
[[gnu::always_inline]] inline float magnitudeValue(float magnitude, float scale) { return float(aboveMiddles(magnitude, scale, 2, 4)); }

template <class Weight>
[[gnu::always_inline]] inline void encodeBlock(const float* x, Weight weight, Mxfp4Block& block) {
	const int plain = mxfp4Exponent(std::fabs(signedExtreme32(x)));
	int exponent = plain;
	float best = 0;
	for (const int change : {0, 1, -1}) {
		const int candidate = clampInt(plain + change, 0, kLargestExponent);
		const float scale = mxfp4Scale(uint8_t(candidate));
		const float error = sum32([&](int j) __attribute__((always_inline)) {
			const float magnitude = std::fabs(x[j]);
			const float difference = magnitude - scale * magnitudeValue(magnitude, scale);
			return weight(j, difference) * difference;
		});
		if (change == 0 || error < best) exponent = candidate, best = error;
	}
	block.exponent = uint8_t(exponent);
	const float scale = mxfp4Scale(block.exponent);
	uint8_t codes[32];
	for (int j = 0; j < 32; ++j) {
		const int32_t code = magnitudeCode(std::fabs(x[j]), scale);
		codes[j] = uint8_t(code | (x[j] < 0 && code != 0 ? 8 : 0));
	}
	packCodes(block, codes);
}

VKQ_SIMD_CLONES void encode(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	encodeBestBlocks<Mxfp4Block>(x, row_elements, importance, out, [](const float* v, auto weight, Mxfp4Block& block) __attribute__((always_inline)) { encodeBlock(v, weight, block); });
}

}  // namespace

const BestEncoder kBestMxfp4{TensorType::MXFP4, true, encode};

}  // namespace vkq
