// Inputs rounded as the reference's CPU backend rounds them: the host twin by its definition, the shader by the twin.
#include "kernels/product.h"
#include "quant/activation_rounding.h"
#include "tests/kernels/transformer_fixture.h"

#include <algorithm>
#include <cmath>

using namespace vkq;

namespace {

using RoundActivationsTest = KernelTest;

constexpr ActivationRounding kRoundings[] = {ActivationRounding::Half, ActivationRounding::Bfloat, ActivationRounding::Bits8Per32, ActivationRounding::Bits8Per256};

}  // namespace

TEST(ActivationRounding, FollowsTheWeightsType) {
	EXPECT_EQ(referenceRounding(TensorType::F32), ActivationRounding::None);
	EXPECT_EQ(referenceRounding(TensorType::F16), ActivationRounding::Half);
	EXPECT_EQ(referenceRounding(TensorType::BF16), ActivationRounding::Bfloat);
	for (const TensorType type : {TensorType::Q4_0, TensorType::Q4_1, TensorType::Q5_0, TensorType::Q5_1, TensorType::Q8_0, TensorType::IQ4_NL})
		EXPECT_EQ(referenceRounding(type), ActivationRounding::Bits8Per32) << typeName(type);
	for (const TensorType type : {TensorType::Q2_K, TensorType::Q3_K, TensorType::Q4_K, TensorType::Q5_K, TensorType::Q6_K, TensorType::IQ4_XS})
		EXPECT_EQ(referenceRounding(type), ActivationRounding::Bits8Per256) << typeName(type);
}

TEST(ActivationRounding, MovesNoElementByMoreThanHalfAStep) {
	std::vector<float> row(512);
	for (size_t i = 0; i < row.size(); ++i) row[i] = std::sin(float(i)) * (i < 256 ? 3.0f : 0.01f);
	for (const uint32_t block : {32u, 256u}) {
		std::vector<float> rounded = row;
		roundActivations(block == 32 ? ActivationRounding::Bits8Per32 : ActivationRounding::Bits8Per256, rounded);
		for (size_t i = 0; i < row.size(); ++i) {
			const auto from = row.begin() + std::ptrdiff_t(i / block * block);
			float largest = 0;
			for (auto x = from; x < from + block; ++x) largest = std::max(largest, std::fabs(*x));
			EXPECT_LE(std::fabs(rounded[i] - row[i]), largest / 127 * 0.5f + largest * 0x1p-11f) << block << ' ' << i;   // the scale is a half for 32
		}
	}
	std::vector<float> none(256, 0.0f);
	roundActivations(ActivationRounding::Bits8Per256, none);
	for (const float x : none) EXPECT_EQ(x, 0.0f);
	std::vector<float> halves{1.0f + 0x1p-11f, 1.0f + 0x1.8p-10f}, bfloats{1.0f + 0x1p-8f, -3.14159265f};
	roundActivations(ActivationRounding::Half, halves);
	EXPECT_EQ(halves, (std::vector<float>{1.0f, 1.0f + 0x1p-9f}));   // ties to even
	roundActivations(ActivationRounding::Bfloat, bfloats);
	EXPECT_EQ(bfloats, (std::vector<float>{1.0f, -3.140625f}));
}

TEST_F(RoundActivationsTest, EqualTheHostTwin) {
	const auto kernels = Kernels::create(*device);
	ASSERT_TRUE(kernels.ok());
	constexpr uint32_t kColumns = 768, kRows = 5;
	auto x = normal(kColumns * kRows, 2.0f);
	std::fill_n(x.begin() + 256, 256, 0.0f);   // a block of nothing
	x[3] = 90.0f;                              // an outlier
	for (const ActivationRounding rounding : kRoundings) {
		auto input = bufferOf(x), output = buffer(x.size() * 4);
		run([&](vk::CommandBuffer& commands) { return roundActivations(*kernels, commands, rounding, {input}, kColumns, kRows, output); });
		auto expected = x;
		for (uint32_t row = 0; row < kRows; ++row) roundActivations(rounding, std::span(expected).subspan(row * kColumns, kColumns));
		// A device whose division is off by a bit may take the other side of a tie.
		size_t other_side = 0;
		for (size_t i = 0; i < x.size(); ++i)
			if (std::fabs(floats(output)[i] - expected[i]) > 1e-6f * std::fabs(expected[i])) ++other_side;
		EXPECT_LE(other_side, 3u) << uint32_t(rounding);
	}
}
