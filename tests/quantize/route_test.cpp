#include "quantize/route.h"

#include <gtest/gtest.h>

using namespace vkq;
using Decision = Router::Decision;

namespace {

constexpr uint64_t kSlab = 4 << 20, kMuch = 1 << 30;
const Router::Key kKey{TensorType::F16, TensorType::Q8_0, false};

/// The first probe of a side is cold and not counted; so two.
void probe(Router& router, Decision side, uint64_t weights, double seconds) {
	router.measured(kKey, side, weights, 1000 * seconds);
	router.measured(kKey, side, weights, seconds);
}

}  // namespace

TEST(Router, SendsSmallJobsToTheDeviceWithoutMeasuring) {
	EXPECT_EQ(Router().decide(kKey, kSlab, kSlab), Decision::Device);
}

TEST(Router, MeasuresBothSidesBeforeItDecides) {
	Router router;
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::ProbeHost);
	router.measured(kKey, Decision::ProbeHost, 1 << 18, 1.0);   // the first is cold caches' time, and is not counted
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::ProbeHost);
	router.measured(kKey, Decision::ProbeHost, 1 << 18, 0.001);
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::ProbeDevice);
	router.measured(kKey, Decision::ProbeDevice, kSlab, 1.0);   // and the driver's compiler's
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::ProbeDevice);
	router.measured(kKey, Decision::ProbeDevice, kSlab, 0.001);
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::Device);
}

TEST(Router, TakesTheHostWhereItIsQuicker) {
	Router router;
	probe(router, Decision::ProbeHost, 1 << 18, 0.001);
	probe(router, Decision::ProbeDevice, kSlab, 0.5);
	EXPECT_EQ(router.decide(kKey, kSlab, kMuch), Decision::Host);
}

TEST(Router, KeepsSlabsOnTheHostThatDoNotRepayASubmission) {
	Router router;
	probe(router, Decision::ProbeHost, 1 << 18, 0.001);
	EXPECT_EQ(router.decide(kKey, 256, kMuch), Decision::Host);
}

TEST(Router, DecidesForEachKindOfWorkApart) {
	Router router;
	probe(router, Decision::ProbeHost, 1 << 18, 0.001);
	EXPECT_EQ(router.decide({TensorType::F16, TensorType::Q4_K, false}, kSlab, kMuch), Decision::ProbeHost);
}
