#include "planner/advise.h"
#include "planner/gpus.h"
#include "requests.h"

using namespace vkq;
using test::deviceWith;
using test::requestFor;

namespace {

AdviceRequest adviceFor(std::string_view size, DeviceSpec device) {
	AdviceRequest advice;
	advice.base = requestFor(size, "F16", std::move(device));
	advice.source = advice.base.tensors;
	for (const char* type : {"Q4_K_M", "F16", "Q2_K", "Q8_0", "Q6_K", "Q5_K_M"}) advice.types.push_back(*findFileType(type));
	return advice;
}

Advice advised(const AdviceRequest& request) {
	auto advice = advise(request);
	EXPECT_TRUE(advice.ok());
	return *advice;
}

TEST(Advise, OrdersTypesByQualityAndTakesTheBestThatFits) {
	const Advice advice = advised(adviceFor("8", deviceWith(8 * kGiB)));
	ASSERT_EQ(advice.candidates.size(), 6u);
	EXPECT_EQ(advice.candidates.front().type, "F16");
	EXPECT_EQ(advice.candidates.back().type, "Q2_K");
	ASSERT_TRUE(advice.recommended);
	EXPECT_EQ(advice.candidates[*advice.recommended].type, "Q6_K");
	EXPECT_FALSE(advice.candidates[*advice.recommended - 1].plan.fits);
}

TEST(Advise, NamesTheSmallestWhenNothingFits) {
	const Advice advice = advised(adviceFor("70", deviceWith(8 * kGiB)));
	EXPECT_FALSE(advice.recommended);
	EXPECT_EQ(advice.candidates[advice.smallest].type, "Q2_K");
	EXPECT_GT(advice.candidates[advice.smallest].plan.missing, 10 * kGiB);
}

TEST(Advise, ForContextTakesTheSmallestCacheAndStaysAboveTheFloor) {
	AdviceRequest request = adviceFor("8", deviceWith(8 * kGiB));
	request.goal = Goal::Context;
	request.cache_types = {TensorType::F16, TensorType::Q8_0, TensorType::Q4_0};
	const Advice advice = advised(request);
	const Candidate& best = advice.candidates[*advice.recommended];
	EXPECT_EQ(best.type, "Q4_K_M");
	EXPECT_EQ(best.k_type, TensorType::Q4_0);
	for (const Candidate& c : advice.candidates) {
		if (!c.plan.fits || c.type == "Q2_K") continue;
		EXPECT_LE(c.max_context, best.max_context);
	}
}

TEST(Advise, ForSpeedTakesTheFewestBytesAboveTheFloor) {
	AdviceRequest request = adviceFor("8", *deviceOf(*findGpu("RTX 4090"), 0));
	request.goal = Goal::Speed;
	const Advice advice = advised(request);
	EXPECT_EQ(advice.candidates[*advice.recommended].type, "Q4_K_M");
}

TEST(Advise, PrefersATypeThatNeedsNoHostMemory) {
	AdviceRequest request = adviceFor("13", deviceWith(12 * kGiB));
	request.base.offload = Offload::Layers;
	const Advice advice = advised(request);
	EXPECT_EQ(advice.candidates[*advice.recommended].plan.offloaded_weight_bytes, 0u);
	EXPECT_TRUE(advice.candidates.front().plan.fits) << "F16 would fit with the host's help";
}

TEST(Advise, KeepsAQuantizedFileAsItIs) {
	AdviceRequest request = adviceFor("8", deviceWith(8 * kGiB));
	request.as_is = "Q4_K_M";
	request.source = *tensorsAs(mixtureModel(request.base.model), request.source, *findFileType("Q4_K_M"));
	const Advice advice = advised(request);
	ASSERT_EQ(advice.candidates.size(), 1u);
	EXPECT_EQ(advice.candidates[0].type, "Q4_K_M");
}

// The three runs that the constants of speed.h were fitted to: within 6 %.
TEST(ExpectedSpeed, MeetsPublishedRuns) {
	struct Run { const char* size; const char* gpu; double tokens_per_second; };
	for (const Run& run : {Run{"8", "RX 9070 XT", 119.6}, Run{"8", "RTX 4070", 87.0}, Run{"1.1", "RTX 4090", 762.0}}) {
		const Request request = requestFor(run.size, "Q4_K_M", *deviceOf(*findGpu(run.gpu), 0));
		const auto speed = expectedSpeed(request, *solve(request));
		ASSERT_TRUE(speed);
		EXPECT_NEAR(speed->empty_context / run.tokens_per_second, 1.0, 0.06) << run.gpu;
		EXPECT_LT(speed->full_context, speed->empty_context);
	}
}

TEST(ExpectedSpeed, FallsWithWhatCrossesTheBus) {
	Request request = requestFor("13", "Q8_0", *deviceOf(*findGpu("RTX 4090"), 0));
	const auto whole = expectedSpeed(request, *solve(request));
	request.devices[0].available = 8 * kGiB;
	request.offload = Offload::Layers;
	const auto shared = expectedSpeed(request, *solve(request));
	ASSERT_TRUE(whole && shared);
	EXPECT_GT(shared->offloaded_bytes, 0u);
	EXPECT_LT(shared->empty_context * 5, whole->empty_context);
}

TEST(HostSeconds, CountsTheChosenExpertsOfWhatLiesThere) {
	Request request = requestFor("8x7", "Q3_K_M", deviceWith(16 * kGiB));
	EXPECT_EQ(hostSeconds(request, *solve(request)), 0) << "nothing lies there";
	request.offload = Offload::Layers;
	const Plan plan = *solve(request);
	ASSERT_GT(plan.offloaded_weight_bytes, 4 * kGiB);
	const double all = double(plan.offloaded_weight_bytes) / request.devices[0].host_bandwidth;
	EXPECT_NEAR(hostSeconds(request, plan) / all, 2.0 / 8.0, 0.05) << "2 of 8 experts a token";
}

TEST(ExpectedSpeed, IsUnknownWithoutABandwidth) {
	const Request request = requestFor("1", "Q8_0", deviceWith(8 * kGiB));
	EXPECT_FALSE(expectedSpeed(request, *solve(request)));
}

TEST(ExpectedSpeed, CountsOnlyTheChosenExperts) {
	const Request request = requestFor("30A3", "Q8_0", *deviceOf(*findGpu("L40S"), 0));
	const auto speed = expectedSpeed(request, *solve(request));
	ASSERT_TRUE(speed);
	EXPECT_NEAR(double(speed->weight_bytes) * 1e-9, 3.2, 0.4);
}

}  // namespace
