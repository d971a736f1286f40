// The best search of IQ4_NL and IQ4_XS, x = scale * kIq4Values[q].
//
// IQ4_XS first finds each group's own scale, then tries super-block scales d of either sign: each group takes the multiple of d nearest
// to its own scale, and the d with the smallest total error stays. At last each group tries the multiples beside its own.
#include "quant/best_symmetric.h"
#include "quant/iq4.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

/// Around the scales that put the extreme at -127 or at 113.
constexpr SymmetricStarts kScaleStarts{110, 95, 6};

/// Super-block scales: the largest group scale becomes -32 or 31 times d, or so many 64ths of that.
constexpr int kFirstShare = 58, kShares = 8;

/// The value nearest to q, the upper one of two equally near. Sums of small whole numbers are exact.
[[gnu::always_inline]] inline float nearestIq4(float q) {
	float value = kIq4Values[0];
	for (int i = 0; i < 15; ++i) value += q < iq4Middle(i) ? 0.0f : float(kIq4Values[i + 1] - kIq4Values[i]);
	return value;
}

[[gnu::always_inline]] inline void nearestCodes(const float* x, float inverse, uint8_t* codes) {
	int32_t code[32] = {};
	for (int i = 0; i < 15; ++i)
		for (int j = 0; j < 32; ++j) code[j] += !(inverse * x[j] < iq4Middle(i));
	for (int j = 0; j < 32; ++j) codes[j] = uint8_t(code[j]);
}

template <class Weight>
[[gnu::always_inline]] inline void encodeBlock(const float* x, Weight weight, Iq4NlBlock& block) {
	const float extreme = signedExtreme32(x);
	const float d = bestSymmetricScale(x, weight, nearestIq4, extreme, asHalf(extreme / float(kIq4Values[0])), kScaleStarts);
	block.d = floatToHalf(stretchedSymmetricScale(x, weight, nearestIq4, d));
	uint8_t codes[32];
	nearestCodes(x, inverseOf(d), codes);
	packCodes(block, codes);
}

VKQ_SIMD_CLONES void encodeNl(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	encodeBestBlocks<Iq4NlBlock>(x, row_elements, importance, out, [](const float* v, auto weight, Iq4NlBlock& block) __attribute__((always_inline)) { encodeBlock(v, weight, block); });
}

/// A group's own scale, of any precision.
template <class Weight>
[[gnu::always_inline]] inline float groupScale(const float* x, Weight weight) {
	const float extreme = signedExtreme32(x);
	if (std::fabs(extreme) < kZeroGroup) return 0;
	float wx[32];
	for (int j = 0; j < 32; ++j) wx[j] = weight(j, x[j]);
	float scale = 0, best = 0;
	const auto attempt = [&](float inverse) __attribute__((always_inline)) {
		float value[32];
		for (int j = 0; j < 32; ++j) value[j] = nearestIq4(inverse * x[j]);
		const float cross = sum32([&](int j) { return wx[j] * value[j]; });
		const float square = sum32([&](int j) { return weight(j, value[j]) * value[j]; });
		const float quotient = square > 0 ? cross / square : 0.0f;
		const float score = quotient * cross;
		if (score > best) scale = quotient, best = score;
	};
	const float reciprocal = 1 / extreme;
	for (int i = 0; i < SymmetricStarts::kEach; ++i) attempt(-(kScaleStarts.negative + kScaleStarts.step * float(i)) * reciprocal);
	for (int i = 0; i < SymmetricStarts::kEach; ++i) attempt((kScaleStarts.positive + kScaleStarts.step * float(i)) * reciprocal);
	for (int round = 0; round < kBestPolish; ++round) attempt(inverseOf(scale));
	return scale;
}

template <class Weight>
[[gnu::always_inline]] inline float groupError(const float* x, Weight weight, float scale) {
	const float inverse = inverseOf(scale);
	return sum32([&](int j) __attribute__((always_inline)) {
		const float difference = x[j] - scale * nearestIq4(inverse * x[j]);
		return weight(j, difference) * difference;
	});
}

/// Over the eight groups, as neighbours exchange their sums.
[[gnu::always_inline]] inline float sumOfGroups(const float* s) { return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])); }

/// `weightOf(g)`: what weighs group g's weights.
template <class WeightOf>
[[gnu::always_inline]] inline void encodeSuperBlock(const float* x, WeightOf weightOf, std::byte* out) {
	constexpr int kGroups = Iq4XsBlock::kGroups;
	float scales[kGroups];
	for (int g = 0; g < kGroups; ++g) scales[g] = groupScale(x + 32 * g, weightOf(g));
	const float extreme = signedExtreme(scales, kGroups);

	float d = 0, best = 0;
	for (int i = 0; i < 2 * kShares; ++i) {
		const float share = float(kFirstShare + i % kShares) * 0.015625f;
		const float candidate = asHalf(share * extreme / (i < kShares ? -32.0f : 31.0f));
		const float inverse = inverseOf(candidate);
		float error[kGroups];
		for (int g = 0; g < kGroups; ++g) error[g] = groupError(x + 32 * g, weightOf(g), candidate * nearestWithin(inverse * scales[g], -32, 31));
		const float total = sumOfGroups(error);
		if (i == 0 || total < best) d = candidate, best = total;
	}

	Iq4XsBlock block{};
	float xx[kGroups], xy[kGroups];   // y: as decoded
	const float inverse = inverseOf(d);
	for (int g = 0; g < kGroups; ++g) {
		const float* group = x + 32 * g;
		const float plain = nearestWithin(inverse * scales[g], -32, 31);
		float level = plain, error = groupError(group, weightOf(g), d * plain);
		for (const float change : {-1.0f, 1.0f}) {
			const float other = nearestWithin(plain + change, -32, 31);
			const float other_error = groupError(group, weightOf(g), d * other);
			if (other_error < error) level = other, error = other_error;
		}
		const float scale = d * level, inverse_scale = inverseOf(scale);
		uint8_t codes[32];
		nearestCodes(group, inverse_scale, codes);
		packNibbles(codes, block.codes[g]);
		block.addLevel(g, int(level));
		const auto weight = weightOf(g);
		xx[g] = sum32([&](int j) __attribute__((always_inline)) { return weight(j, group[j]) * group[j]; });
		xy[g] = scale * sum32([&](int j) __attribute__((always_inline)) { return weight(j, group[j]) * nearestIq4(inverse_scale * group[j]); });
	}
	block.d = floatToHalf(stretched(d, stretchOf(sumOfGroups(xx), sumOfGroups(xy))));
	std::memcpy(out, &block, sizeof(block));
}

VKQ_SIMD_CLONES void encodeXs(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
	for (uint64_t at = 0; at < row_elements; at += 256, out += sizeof(Iq4XsBlock)) {
		float w[256];
		if (bestWeights<256>(importance ? importance + at : nullptr, x + at, w)) encodeSuperBlock(x + at, [&](int g) { return Weighted{w + 32 * g}; }, out);
		else encodeSuperBlock(x + at, [](int) { return Unweighted{}; }, out);
	}
}

}  // namespace

const BestEncoder kBestIq4Nl{TensorType::IQ4_NL, true, encodeNl};
const BestEncoder kBestIq4Xs{TensorType::IQ4_XS, true, encodeXs};

}  // namespace vkq
