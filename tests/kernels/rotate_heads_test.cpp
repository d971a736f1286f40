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
			return recordRotateHeads(*device, commands, {.step_input = step, .query = {values, kStride, kOffset, bias_buffer, norm_buffer}, .query_heads = kHeads, .head_dim = kHeadDim,
			                                             .tokens = kTokens, .norm_eps = 1e-6f, .rotation = rotation, .rope_dims = kRopeDims, .half_split = half_split,
			                                             .query_scale = 0.125f});
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
		return recordRotateHeads(*device, commands, {.step_input = step, .query = {values, kHeads * kHeadDim, 0, {}, {}, true}, .query_heads = kHeads, .head_dim = kHeadDim,
		                                             .tokens = kTokens});
	});
	for (uint32_t block = 0; block < x.size() / kHadamard; ++block) {
		double sum = 0;
		for (uint32_t i = 0; i < kHadamard; ++i) sum += x[block * kHadamard + i];
		EXPECT_NEAR(floats(values)[block * kHadamard], sum / std::sqrt(double(kHadamard)), 1e-5) << "the first of each block is the sum";
	}
	run([&](vk::CommandBuffer& commands) { return recordHadamard(*device, commands, {values}, kHeads * kHeadDim, kTokens); });
	for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(floats(values)[i], x[i], 1e-5);
}

TEST_F(RotateHeadsTest, HadamardPutsOut8BitsTooOrInstead) {
	constexpr uint32_t kRows = 2, kColumns = 192;
	const auto x = normal(kRows * kColumns);
	auto both = bufferOf(x), alone = bufferOf(x), quantized = buffer(quantizedActivationBytes(kColumns, kRows)), quantized_alone = buffer(quantizedActivationBytes(kColumns, kRows));
	run([&](vk::CommandBuffer& commands) { return recordHadamard(*device, commands, {both, quantized, false, true}, kColumns, kRows); });
	run([&](vk::CommandBuffer& commands) { return recordHadamard(*device, commands, {alone, quantized_alone, false, false}, kColumns, kRows); });
	EXPECT_EQ(floats(alone)[0], x[0]);
	expectQuantized(both, quantized, kColumns, kRows, false);
	expectQuantized(both, quantized_alone, kColumns, kRows, false);
}

// As the projections of a family with one matrix for all three lie: queries, keys, values behind one another in a token's row; each with a bias of its own, keys
// and queries with norms. The caches are kept in single precision, so that they can be compared.
TEST_F(RotateHeadsTest, QueriesKeysAndValuesShareADispatch) {
	constexpr uint32_t kTokens = 3, kHeads = 4, kKvHeads = 2, kHeadDim = 64, kCells = 32, kFirst = 30, kWidth = (kHeads + 2 * kKvHeads) * kHeadDim, kPairs = kHeadDim / 2;
	const auto x = normal(kTokens * kWidth), table = rotationTable(kTokens, kPairs, kFirst);
	const std::vector<float> biases[] = {normal(kHeads * kHeadDim), normal(kKvHeads * kHeadDim), normal(kKvHeads * kHeadDim)}, norms[] = {normal(kHeadDim), normal(kHeadDim)};
	auto projection = bufferOf(x), rotation = bufferOf(table), key_cache = buffer(kKvHeads * kCells * kHeadDim * 4), value_cache = buffer(kKvHeads * kCells * kHeadDim * 4);
	auto query_bias = bufferOf(biases[0]), key_bias = bufferOf(biases[1]), value_bias = bufferOf(biases[2]), query_norm = bufferOf(norms[0]), key_norm = bufferOf(norms[1]);
	auto step = bufferOf(std::vector<uint32_t>{kFirst, kTokens, 0, 0});
	const CachePiece keys[] = {{key_cache, TensorType::F32, 0, kKvHeads, kCells}}, values[] = {{value_cache, TensorType::F32, 0, kKvHeads, kCells}};
	run([&](vk::CommandBuffer& commands) {
		return recordRotateHeads(*device, commands, {.step_input = step, .query = {projection, kWidth, 0, query_bias, query_norm},
		                                             .key = {projection, kWidth, kHeads * kHeadDim, key_bias, key_norm}, .value = {projection, kWidth, (kHeads + kKvHeads) * kHeadDim, value_bias},
		                                             .keys = keys, .values = values, .query_heads = kHeads, .head_dim = kHeadDim, .tokens = kTokens, .norm_eps = 1e-6f,
		                                             .rotation = rotation, .rope_dims = kHeadDim, .query_scale = 0.5f});
	});
	for (uint32_t t = 0; t < kTokens; ++t) {
		for (uint32_t h = 0; h < kHeads + 2 * kKvHeads; ++h) {
			const uint32_t role = h < kHeads ? 0 : h < kHeads + kKvHeads ? 1 : 2, head = role == 0 ? h : (h - kHeads) % kKvHeads, cell = (kFirst + t) % kCells;
			std::vector<double> v(kHeadDim);
			double squares = 0;
			for (uint32_t i = 0; i < kHeadDim; ++i) {
				v[i] = double(x[t * kWidth + h * kHeadDim + i]) + biases[role][head * kHeadDim + i];
				squares += v[i] * v[i];
			}
			for (uint32_t i = 0; role < 2 && i < kPairs; ++i) {
				const double scale = 1 / std::sqrt(squares / kHeadDim + 1e-6), a = v[2 * i] * scale * norms[role][2 * i], b = v[2 * i + 1] * scale * norms[role][2 * i + 1];
				const double c = table[(t * kPairs + i) * 2], s = table[(t * kPairs + i) * 2 + 1];
				v[2 * i] = a * c - b * s;
				v[2 * i + 1] = a * s + b * c;
			}
			for (uint32_t i = 0; i < kHeadDim; ++i) {
				// Keys lie interleaved by 32 cells, values do not.
				const float got = role == 0 ? floats(projection)[t * kWidth + h * kHeadDim + i]
				                            : role == 1 ? floats(key_cache)[(head * kHeadDim + i) * kCells + cell] : floats(value_cache)[(head * kCells + cell) * kHeadDim + i];
				ASSERT_NEAR(got, role == 0 ? v[i] * 0.5 : v[i], 2e-5) << "token " << t << " head " << h << " element " << i;
			}
		}
	}
}
