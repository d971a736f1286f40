// Frequencies of every scaling against what the papers' formulas give (see arch/rope.h).
#include "arch/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace vkq;

namespace {

Hyperparameters model() {
	Hyperparameters h;
	h.arch = Architecture::Qwen3;
	h.rope_dims = 128;
	h.rope_base = h.rope_base_swa = 1e6f;
	h.rope_ctx_original = 32768;
	return h;
}

double plain(size_t pair) { return std::pow(1e6, -2.0 * double(pair) / 128.0); }

}  // namespace

TEST(Rope, PlainFrequenciesFallGeometrically) {
	const auto rope = ropeFrequencies(model(), false, {});
	ASSERT_EQ(rope.frequency.size(), 64u);
	EXPECT_EQ(rope.magnitude, 1.0);
	for (size_t i = 0; i < 64; ++i) EXPECT_DOUBLE_EQ(rope.frequency[i], plain(i));
}

TEST(Rope, LinearScalingStretchesEveryPair) {
	Hyperparameters h = model();
	h.rope_scaling = RopeScaling::Linear;
	h.rope_factor = 8.0f;
	const auto rope = ropeFrequencies(h, false, {});
	EXPECT_EQ(rope.magnitude, 1.0);
	for (size_t i = 0; i < 64; ++i) EXPECT_DOUBLE_EQ(rope.frequency[i], plain(i) / 8);
}

TEST(Rope, Gemma3StretchesOnlyLayersThatSeeEverything) {
	Hyperparameters h = model();
	h.arch = Architecture::Gemma3;
	h.rope_scaling = RopeScaling::Linear;
	h.rope_factor = 8.0f;
	h.rope_base_swa = 1e4f;
	EXPECT_DOUBLE_EQ(ropeFrequencies(h, false, {}).frequency[5], plain(5) / 8);
	EXPECT_DOUBLE_EQ(ropeFrequencies(h, true, {}).frequency[5], std::pow(1e4, -10.0 / 128.0));
}

// 128 dimensions, base 1e6, 32768 tokens stretched four times: pairs before 23 turn more than 32 times in the original context and are kept,
// those from 40 on turn less than once and are stretched.
TEST(Rope, YarnKeepsFastPairsAndStretchesSlowOnes) {
	Hyperparameters h = model();
	h.rope_scaling = RopeScaling::Yarn;
	h.rope_factor = 4.0f;
	h.yarn_ext_factor = 1.0f;
	h.yarn_beta_fast = 32.0f;
	h.yarn_beta_slow = 1.0f;
	const auto rope = ropeFrequencies(h, false, {});
	EXPECT_NEAR(rope.magnitude, 1.1386294361119891, 1e-12) << "0.1 ln 4 + 1";
	for (size_t i = 0; i < 64; ++i) {
		const double stretched = std::min(1.0, std::max(0.0, (double(i) - 23) / 17));
		EXPECT_NEAR(rope.frequency[i] / plain(i), 1 - 0.75 * stretched, 1e-12) << i;
	}
}

// Llama 3 and LongRope models bring a divisor for each pair.
TEST(Rope, FactorsDivideFrequencies) {
	std::vector<float> factors(64, 1.0f);
	factors[40] = 8.0f;
	factors[30] = 1.5f;
	const auto rope = ropeFrequencies(model(), false, factors);
	EXPECT_DOUBLE_EQ(rope.frequency[29], plain(29));
	EXPECT_DOUBLE_EQ(rope.frequency[30], plain(30) / 1.5);
	EXPECT_DOUBLE_EQ(rope.frequency[40], plain(40) / 8);
}

TEST(Rope, LongRopeChoosesItsFactorsByTheContext) {
	Hyperparameters h = model();
	EXPECT_EQ(ropeFactorTensor(h, 100000), "rope_freqs.weight");
	h.rope_scaling = RopeScaling::LongRope;
	EXPECT_EQ(ropeFactorTensor(h, 32768), "rope_factors_short.weight");
	EXPECT_EQ(ropeFactorTensor(h, 32769), "rope_factors_long.weight");
	h.rope_attention_factor = 1.19f;
	EXPECT_FLOAT_EQ(float(ropeFrequencies(h, false, {}).magnitude), 1.19f);
}
