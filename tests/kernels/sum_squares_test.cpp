#include "kernels/sum_squares.h"
#include "tests/kernels/transformer_fixture.h"

using namespace vkq;

namespace {

using SumSquaresTest = KernelTest;

}  // namespace

TEST_F(SumSquaresTest, AddsTheSquaresOfEachColumnToWhatIsThere) {
	for (const uint32_t columns : {1u, 7u, 64u, 257u}) {
		constexpr uint32_t kRows = 5;
		const auto x = normal(kRows * columns, 2.0f);
		auto input = bufferOf(x), sums = buffer(sumSquaresFloats(columns, 1) * 4);
		for (int pass = 0; pass < 2; ++pass)
			run([&](vk::CommandBuffer& commands) { return recordSumSquares(*device, commands, {.x = input, .sums = sums, .columns = columns, .slots = kRows}); });
		for (uint32_t i = 0; i < columns; ++i) {
			double expected = 0;
			for (uint32_t row = 0; row < kRows; ++row) expected += 2.0 * x[row * columns + i] * x[row * columns + i];
			ASSERT_NEAR(floats(sums)[i], expected, 1e-5 * (1 + expected)) << columns << ' ' << i;
		}
		EXPECT_EQ(floats(sums)[columns], 2 * kRows);
	}
}

TEST_F(SumSquaresTest, GivesEachExpertTheRowsThatAreRoutedToIt) {
	constexpr uint32_t kColumns = 33, kTokens = 4, kPlaces = 2, kExperts = 3;
	const std::vector<uint32_t> chosen{0, 2, 2, 0, 0, 2, 0, 2};   // nothing for expert 1
	const auto x = normal(kTokens * kPlaces * kColumns);
	for (const uint32_t slots_per_row : {1u, kPlaces}) {
		auto input = bufferOf(x), routing = bufferOf(chosen), sums = buffer(sumSquaresFloats(kColumns, kExperts) * 4);
		run([&](vk::CommandBuffer& commands) {
			return recordSumSquares(*device, commands, {.x = input, .chosen = routing, .sums = sums, .columns = kColumns, .slots = kTokens * kPlaces,
			                                            .slots_per_row = slots_per_row, .experts = kExperts});
		});
		std::vector<double> expected(sumSquaresFloats(kColumns, kExperts));
		for (uint32_t slot = 0; slot < chosen.size(); ++slot) {
			for (uint32_t i = 0; i < kColumns; ++i) {
				const double value = x[slot / slots_per_row * kColumns + i];
				expected[chosen[slot] * kColumns + i] += value * value;
			}
			++expected[kExperts * kColumns + chosen[slot]];
		}
		for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(floats(sums)[i], expected[i], 1e-5 * (1 + expected[i])) << slots_per_row << ' ' << i;
	}
}
