#include "kernels/activation.h"
#include "kernels/norm.h"
#include "tests/kernels/transformer_fixture.h"

#include <cmath>

using namespace vkq;

namespace {

using NormTest = KernelTest;
using ActivationTest = KernelTest;

std::vector<double> normalized(std::span<const double> x, std::span<const float> weight, double eps) {
	double squares = 0;
	for (double v : x) squares += v * v;
	std::vector<double> y(x.size());
	for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] / std::sqrt(squares / double(x.size()) + eps) * weight[i];
	return y;
}

}  // namespace

TEST_F(NormTest, EqualsHostOverShapesIncludingOddOnes) {
	for (const uint32_t columns : {1u, 7u, 64u, 257u, 4096u}) {
		constexpr uint32_t kRows = 3;
		const auto x = normal(kRows * columns, 3.0f), y = normal(kRows * columns), after = normal(columns), before = normal(columns);
		for (const bool with_after : {false, true}) {
			auto residual = bufferOf(x), block_out = bufferOf(y), after_weight = bufferOf(after), before_weight = bufferOf(before), out = buffer(kRows * columns * 4);
			Norm norm{.residual = residual, .before = before_weight, .out = {out}, .columns = columns, .rows = kRows, .eps = 1e-5f};
			if (with_after) {
				norm.block_out = block_out;
				norm.after = after_weight;
			}
			run([&](vk::CommandBuffer& commands) { return recordNorm(*device, commands, norm); });
			for (uint32_t row = 0; row < kRows; ++row) {
				std::vector<double> expected(x.begin() + row * columns, x.begin() + (row + 1) * columns);
				if (with_after) {
					const std::vector<double> raw(y.begin() + row * columns, y.begin() + (row + 1) * columns);
					const auto added = normalized(raw, after, 1e-5);
					for (uint32_t i = 0; i < columns; ++i) expected[i] += added[i];
				}
				for (uint32_t i = 0; i < columns; ++i) ASSERT_NEAR(floats(residual)[row * columns + i], expected[i], 1e-5 * (1 + std::abs(expected[i])));
				const auto normed = normalized(expected, before, 1e-5);
				for (uint32_t i = 0; i < columns; ++i) ASSERT_NEAR(floats(out)[row * columns + i], normed[i], 1e-5 * (1 + std::abs(normed[i]))) << columns << " " << i;
			}
		}
	}
}

// The floats of a pass that gives these alone, and quantizing them, are the oracle.
TEST_F(NormTest, PutsOut8BitsTooOrInstead) {
	constexpr uint32_t kColumns = 288, kRows = 3;
	const auto x = normal(kRows * kColumns, 3.0f), y = normal(kRows * kColumns), after = normal(kColumns), before = normal(kColumns);
	auto after_weight = bufferOf(after), before_weight = bufferOf(before), out = buffer(kRows * kColumns * 4), quantized = buffer(quantizedActivationBytes(kColumns, kRows));
	const auto norm = [&](const vk::Buffer& residual, const vk::Buffer& block_out, const ActivationOutput& output) {
		run([&](vk::CommandBuffer& commands) {
			return recordNorm(*device, commands, {.residual = residual, .block_out = block_out, .after = after_weight, .before = before_weight, .out = output,
			                                      .columns = kColumns, .rows = kRows, .eps = 1e-5f});
		});
	};
	auto residual = bufferOf(x), block_out = bufferOf(y);
	norm(residual, block_out, {out});
	for (const bool packed_bytes : {false, true}) {
		auto again = bufferOf(x), in_and_out = bufferOf(y);
		norm(again, in_and_out, {in_and_out, quantized, packed_bytes, true});
		for (uint32_t i = 0; i < kRows * kColumns; ++i) ASSERT_EQ(floats(in_and_out)[i], floats(out)[i]) << i;
		expectQuantized(out, quantized, kColumns, kRows, packed_bytes);
	}
	auto again = bufferOf(x), untouched = bufferOf(y);
	std::memset(quantized.mapped(), 0, quantized.bytes());
	norm(again, untouched, {untouched, quantized, false, false});
	EXPECT_EQ(floats(untouched)[0], y[0]);
	expectQuantized(out, quantized, kColumns, kRows, false);
}

TEST_F(NormTest, StartsAtTheFirstRowAskedFor) {
	constexpr uint32_t kColumns = 33;
	const auto x = normal(4 * kColumns), weight = normal(kColumns);
	auto residual = bufferOf(x), before = bufferOf(weight), out = buffer(kColumns * 4);
	run([&](vk::CommandBuffer& commands) {
		return recordNorm(*device, commands, {.residual = residual, .before = before, .out = {out}, .columns = kColumns, .first_row = 3, .rows = 1, .eps = 1e-6f});
	});
	const auto expected = normalized(std::vector<double>(x.begin() + 3 * kColumns, x.end()), weight, 1e-6);
	for (uint32_t i = 0; i < kColumns; ++i) EXPECT_NEAR(floats(out)[i], expected[i], 1e-5);
}

TEST_F(ActivationTest, SwiGluAndGeGluEqualHostWithExtremeInputs) {
	constexpr uint32_t kColumns = 103, kRows = 3;
	auto gate = normal(kColumns * kRows, 4.0f), linear = normal(kColumns * kRows);
	gate[0] = 90.0f; gate[1] = -90.0f; gate[2] = 0.0f; gate[3] = 1e4f; gate[4] = -1e4f;
	for (const bool gelu : {false, true}) {
		auto gates = bufferOf(gate), linears = bufferOf(linear), out = buffer(kColumns * kRows * 4);
		run([&](vk::CommandBuffer& commands) {
			return recordGatedActivation(*device, commands, {gates, linears, {out}, kColumns, kRows, kColumns, kColumns, 0, kColumns, gelu});
		});
		for (size_t i = 0; i < gate.size(); ++i) {
			const double x = gate[i];
			const double act = gelu ? 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) : x / (1 + std::exp(-x));
			ASSERT_NEAR(floats(out)[i], act * linear[i], 2e-5 * (1 + std::abs(act * linear[i]))) << x;
		}
	}
}

TEST_F(ActivationTest, HalvesOfFusedRowsMeet) {
	constexpr uint32_t kColumns = 40, kRows = 2;
	const auto both = normal(kRows * 2 * kColumns);
	auto fused = bufferOf(both), out = buffer(kColumns * kRows * 4);
	run([&](vk::CommandBuffer& commands) {
		return recordGatedActivation(*device, commands, {fused, fused, {out}, kColumns, kRows, 2 * kColumns, 2 * kColumns, kColumns, kColumns, false});
	});
	for (uint32_t row = 0; row < kRows; ++row)
		for (uint32_t i = 0; i < kColumns; ++i) {
			const double x = both[row * 2 * kColumns + i];
			ASSERT_NEAR(floats(out)[row * kColumns + i], x / (1 + std::exp(-x)) * both[row * 2 * kColumns + kColumns + i], 1e-5);
		}
}

TEST_F(ActivationTest, PutsOut8BitsTooOrInstead) {
	constexpr uint32_t kColumns = 352, kRows = 2;
	auto gates = bufferOf(normal(kColumns * kRows, 4.0f)), linears = bufferOf(normal(kColumns * kRows)), out = buffer(kColumns * kRows * 4);
	auto quantized = buffer(quantizedActivationBytes(kColumns, kRows));
	const auto activate = [&](const ActivationOutput& output) {
		run([&](vk::CommandBuffer& commands) { return recordGatedActivation(*device, commands, {gates, linears, output, kColumns, kRows, kColumns, kColumns, 0, kColumns, false}); });
	};
	activate({out});
	activate({linears, quantized, true, false});
	expectQuantized(out, quantized, kColumns, kRows, true);
	activate({linears, quantized, false, true});   // in place, as the model has it
	expectQuantized(out, quantized, kColumns, kRows, false);
	for (uint32_t i = 0; i < kColumns * kRows; ++i) ASSERT_EQ(floats(linears)[i], floats(out)[i]) << i;
}

TEST_F(ActivationTest, SoftcapBoundsEveryLogit) {
	auto x = normal(1000, 40.0f);
	x[0] = 1e9f;
	auto values = bufferOf(x);
	run([&](vk::CommandBuffer& commands) { return recordSoftcap(*device, commands, values, x.size(), 30.0f); });
	for (size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(floats(values)[i], 30.0 * std::tanh(x[i] / 30.0), 3e-5);
}
