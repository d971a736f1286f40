#include "kernels/rotate_heads.h"
#include "shaders/shared/step.h"
#include "tests/kernels/transformer_fixture.h"

#include <cmath>

using namespace vkq;

namespace {

struct RotateHeadsTest : KernelTest {
	std::vector<float> rotationTable(uint32_t tokens, uint32_t pairs, uint32_t first_position) {
		std::vector<float> table;
		for (uint32_t t = 0; t < tokens; ++t)
			for (uint32_t i = 0; i < pairs; ++i) {
				const double angle = (first_position + t) * std::pow(10000.0, -double(i) / pairs);
				table.push_back(float(std::cos(angle)));
				table.push_back(float(std::sin(angle)));
			}
		return table;
	}
};

}  // namespace

TEST_F(RotateHeadsTest, AddsBiasNormalizesRotatesAndScalesQueries) {
	constexpr uint32_t kTokens = 3, kHeads = 5, kHeadDim = 96, kRopeDims = 64, kStride = kHeads * kHeadDim + 7, kOffset = 4;
	const auto x = normal(kTokens * kStride), bias = normal(kHeads * kHeadDim), norm = normal(kHeadDim);
	const auto table = rotationTable(kTokens, kRopeDims / 2, 1000);
	auto rotation = bufferOf(table), bias_buffer = bufferOf(bias), norm_buffer = bufferOf(norm), step = buffer(16);
	for (const bool half_split : {false, true}) {
		auto values = bufferOf(x);
		run([&](vk::CommandBuffer& commands) {
			return recordRotateHeads(*device, commands, {.step_input = step, .values = values, .stride = kStride, .offset = kOffset, .head_dim = kHeadDim, .heads = kHeads,
			                                             .tokens = kTokens, .bias = bias_buffer, .norm = norm_buffer, .norm_eps = 1e-6f, .rotation = rotation,
			                                             .rope_dims = kRopeDims, .half_split = half_split, .scale = 0.125f});
		});
		for (uint32_t t = 0; t < kTokens; ++t) {
			for (uint32_t h = 0; h < kHeads; ++h) {
				const size_t at = t * kStride + kOffset + h * kHeadDim;
				std::vector<double> v(kHeadDim);
				double squares = 0;
				for (uint32_t i = 0; i < kHeadDim; ++i) {
					v[i] = double(x[at + i]) + bias[h * kHeadDim + i];
					squares += v[i] * v[i];
				}
				for (uint32_t i = 0; i < kHeadDim; ++i) v[i] *= norm[i] / std::sqrt(squares / kHeadDim + 1e-6);
				for (uint32_t i = 0; i < kRopeDims / 2; ++i) {
					const double c = table[(t * kRopeDims / 2 + i) * 2], s = table[(t * kRopeDims / 2 + i) * 2 + 1];
					double& a = v[half_split ? i : 2 * i];
					double& b = v[half_split ? i + kRopeDims / 2 : 2 * i + 1];
					const double was_a = a, was_b = b;
					a = was_a * c - was_b * s;
					b = was_a * s + was_b * c;
				}
				for (uint32_t i = 0; i < kHeadDim; ++i) ASSERT_NEAR(floats(values)[at + i], v[i] * 0.125, 1e-5) << half_split << " " << t << " " << h << " " << i;
			}
		}
		EXPECT_EQ(floats(values)[0], x[0]) << "what lies outside the heads stays";
	}
}

TEST_F(RotateHeadsTest, HadamardIsItsOwnInverse) {
	constexpr uint32_t kTokens = 2, kHeads = 3, kHeadDim = 64;
	const auto x = normal(kTokens * kHeads * kHeadDim);
	auto values = bufferOf(x), step = buffer(16);
	run([&](vk::CommandBuffer& commands) {
		return recordRotateHeads(*device, commands, {.step_input = step, .values = values, .stride = kHeads * kHeadDim, .head_dim = kHeadDim, .heads = kHeads, .tokens = kTokens,
		                                             .hadamard = true});
	});
	for (uint32_t block = 0; block < x.size() / kHadamard; ++block) {
		double sum = 0;
		for (uint32_t i = 0; i < kHadamard; ++i) sum += x[block * kHadamard + i];
		EXPECT_NEAR(floats(values)[block * kHadamard], sum / std::sqrt(double(kHadamard)), 1e-5) << "the first of each block is the sum";
	}
	run([&](vk::CommandBuffer& commands) { return recordHadamard(*device, commands, values, x.size()); });
	for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(floats(values)[i], x[i], 1e-5);
}
