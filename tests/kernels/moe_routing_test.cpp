#include "kernels/moe_routing.h"
#include "tests/kernels/transformer_fixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace vkq;

namespace {
using MoeRoutingTest = KernelTest;
}

TEST_F(MoeRoutingTest, ChoosesTheMostProbableAndCombinesThem) {
	for (const uint32_t experts : {2u, 8u, 60u, 128u}) {
		const uint32_t used = std::min(experts, 6u), tokens = 5, columns = 37;
		auto logits = normal(tokens * experts, 2.0f);
		logits[1] = logits[0];   // equals: the lower number first
		const auto down = normal(tokens * used * columns);
		for (const bool normalize : {true, false}) {
			const MoeShape shape{tokens, experts, used, normalize};
			auto logits_buffer = bufferOf(logits), choice = buffer(tokens * used * 8), down_buffer = bufferOf(down), out = buffer(tokens * columns * 4);
			run([&](vk::CommandBuffer& commands) -> Result<void> {
				VKQ_CHECK(recordMoeRouting(*device, commands, logits_buffer, choice, shape));
				commands.barrier();
				return recordMoeCombine(*device, commands, down_buffer, choice, out, columns, shape, false);
			});
			for (uint32_t t = 0; t < tokens; ++t) {
				std::vector<double> p(logits.begin() + t * experts, logits.begin() + (t + 1) * experts);
				double sum = 0;
				for (double& v : p) sum += v = std::exp(v);
				std::vector<uint32_t> order(experts);
				std::iota(order.begin(), order.end(), 0u);
				std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return p[a] > p[b]; });
				double chosen = 0;
				for (uint32_t k = 0; k < used; ++k) chosen += p[order[k]];
				for (uint32_t k = 0; k < used; ++k) {
					EXPECT_EQ(words(choice)[t * used + k], order[k]);
					EXPECT_NEAR(floats(choice)[tokens * used + t * used + k], p[order[k]] / (normalize ? chosen : sum), 1e-5);
				}
				for (uint32_t i = 0; i < columns; ++i) {
					double expected = 0;
					for (uint32_t k = 0; k < used; ++k) expected += p[order[k]] / (normalize ? chosen : sum) * down[(t * used + k) * columns + i];
					ASSERT_NEAR(floats(out)[t * columns + i], expected, 1e-5);
				}
			}
		}
	}
}
