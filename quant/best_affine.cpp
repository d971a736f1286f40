// The best search of Q4_1 and Q5_1, x = d * q + m.
//
// Weights are taken relative to the middle of their range, codes relative to the middle of theirs: what is far from zero would lose
// the sums' last bits otherwise. v = q - largest / 2, x - centre ~ d * v + offset.
#include "quant/best_search.h"
#include "quant/small_blocks.h"

namespace vkq {

namespace {

constexpr int kStarts = 6, kPolish = 3;

template <class Block>
struct Affine {
	static constexpr float kHalf = Block::kLargest / 2.0f;

	template <class Weight>
	[[gnu::always_inline]] static void encodeBlock(const float* x, Weight weight, Block& block) {
		float low = x[0], high = x[0];
		for (int j = 1; j < 32; ++j) {
			low = x[j] < low ? x[j] : low;
			high = x[j] > high ? x[j] : high;
		}
		float d = 0, m = asHalf(low);
		uint8_t codes[32] = {};
		if (high > low) {
			const float centre = 0.5f * low + 0.5f * high;
			float y[32], wy[32];
			for (int j = 0; j < 32; ++j) y[j] = x[j] - centre, wy[j] = weight(j, y[j]);
			const float sum_w = sum32([&](int j) { return weight(j, 1.0f); });
			const float sum_y = sum32([&](int j) { return wy[j]; });
			const auto value = [&](float inverse, float offset, int j) __attribute__((always_inline)) {
				return nearestWithin(inverse * (y[j] - offset) + kHalf, 0, Block::kLargest) - kHalf;
			};
			const auto offsetOf = [&](float scale, float minimum) __attribute__((always_inline)) { return (minimum + scale * kHalf) - centre; };
			// The best minimum for a scale as it is stored.
			const auto minimumFor = [&](float scale, float sum_v) __attribute__((always_inline)) { return asHalf(((sum_y - scale * sum_v) / sum_w + centre) - scale * kHalf); };

			float best = 0;
			// By how much the error of d and m is less than that of nothing but the centre, from the sums of the codes in use.
			const auto scoreOf = [&](float scale, float offset, float sum_v, float sum_vv, float sum_yv) __attribute__((always_inline)) {
				return scale * (2 * sum_yv - scale * sum_vv) + offset * (2 * (sum_y - scale * sum_v) - offset * sum_w);
			};
			const auto attempt = [&](float inverse, float offset, bool plain) __attribute__((always_inline)) {
				float v[32];
				for (int j = 0; j < 32; ++j) v[j] = value(inverse, offset, j);
				const float sum_v = sum32([&](int j) { return weight(j, v[j]); });
				const float sum_vv = sum32([&](int j) { return weight(j, v[j]) * v[j]; });
				const float sum_yv = sum32([&](int j) { return wy[j] * v[j]; });
				if (plain) best = scoreOf(d, offset, sum_v, sum_vv, sum_yv);
				const float determinant = sum_w * sum_vv - sum_v * sum_v;
				const float scale = asHalf(determinant > 0 ? (sum_w * sum_yv - sum_y * sum_v) / determinant : 0.0f);
				const float minimum = minimumFor(scale, sum_v);
				const float score = scoreOf(scale, offsetOf(scale, minimum), sum_v, sum_vv, sum_yv);
				if (score > best) d = scale, m = minimum, best = score;
			};
			// The reference's own scale and minimum come first and stand until something is better.
			d = asHalf((high - low) / Block::kLargest);
			attempt(inverseOf(d), offsetOf(d, m), true);
			// Then scales that reach beyond the range or leave some of it out, at either end or both.
			const float reciprocal = 1 / (high - low);
			for (int i = 0; i < kStarts; ++i) {
				const float steps = float(Block::kLargest) + (0.75f * float(i) - 0.75f);
				const float inverse = steps * reciprocal;
				const float shift = 0.25f * (steps - float(Block::kLargest)) / inverse;
				attempt(inverse, 0, false);
				attempt(inverse, shift, false);
				attempt(inverse, -shift, false);
			}
			for (int round = 0; round < kPolish; ++round) attempt(inverseOf(d), offsetOf(d, m), false);
			const float inverse = inverseOf(d), offset = offsetOf(d, m);
			float v[32];
			for (int j = 0; j < 32; ++j) v[j] = value(inverse, offset, j), codes[j] = uint8_t(int(v[j] + kHalf));
			// What is too short is the part that differs from the block's mean: the stretched scale takes the minimum that goes with it.
			const float sum_v = sum32([&](int j) { return weight(j, v[j]); });
			const float sum_yy = sum32([&](int j) { return wy[j] * y[j]; });
			const float sum_yv = sum32([&](int j) { return wy[j] * v[j]; });
			const float longer = stretched(d, stretchOf(sum_yy - sum_y * sum_y / sum_w, d * (sum_yv - sum_y * sum_v / sum_w)));
			const float lower = minimumFor(longer, sum_v);
			if (longer != d && !std::isinf(lower)) d = longer, m = lower;
		}
		block.d = floatToHalf(d);
		block.m = floatToHalf(m);
		packCodes(block, codes);
	}

	[[gnu::always_inline]] static void encodeRow(const float* x, uint64_t row_elements, const float* importance, std::byte* out) {
		encodeBestBlocks<Block>(x, row_elements, importance, out, [](const float* v, auto weight, Block& block) __attribute__((always_inline)) { encodeBlock(v, weight, block); });
	}
};

VKQ_SIMD_CLONES void encodeQ4_1(const float* x, uint64_t row_elements, const float* importance, std::byte* out) { Affine<Q4_1Block>::encodeRow(x, row_elements, importance, out); }
VKQ_SIMD_CLONES void encodeQ5_1(const float* x, uint64_t row_elements, const float* importance, std::byte* out) { Affine<Q5_1Block>::encodeRow(x, row_elements, importance, out); }

}  // namespace

const BestEncoder kBestQ4_1{TensorType::Q4_1, true, encodeQ4_1};
const BestEncoder kBestQ5_1{TensorType::Q5_1, true, encodeQ5_1};

}  // namespace vkq
