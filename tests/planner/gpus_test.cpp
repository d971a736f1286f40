#include "planner/gpus.h"

#include <gtest/gtest.h>

using namespace vkq;

namespace {

TEST(Gpus, AreFoundByNameInAnySpelling) {
	for (const char* name : {"GeForce RTX 4060", "rtx 4060", "RTX4060", "NVIDIA GeForce RTX 4060", "4060"}) {
		const auto gpu = findGpu(name);
		ASSERT_TRUE(gpu.ok()) << name << ": " << gpu.error().hint;
		EXPECT_EQ(gpu->name, "GeForce RTX 4060");
	}
	EXPECT_EQ(findGpu("7900xtx")->memory_gib, 24);
}

TEST(Gpus, ThatShareANameAreAskedFor) {
	const auto gpu = findGpu("RTX 4060 Ti");
	ASSERT_FALSE(gpu.ok());
	EXPECT_NE(gpu.error().hint.find("16GB"), std::string::npos);
}

TEST(Gpus, UnknownOnesAreAnsweredWithNeighbours) {
	const auto gpu = findGpu("RTX 4065");
	ASSERT_FALSE(gpu.ok());
	EXPECT_EQ(gpu.error().code, ErrorCode::kUsage);
	EXPECT_NE(gpu.error().hint.find("RTX 4060"), std::string::npos);
	EXPECT_FALSE(findGpu("").ok());
}

TEST(Gpus, EveryNameFindsItself) {
	for (const KnownGpu& gpu : knownGpus()) {
		const auto found = findGpu(gpu.name);
		ASSERT_TRUE(found.ok()) << gpu.name;
		EXPECT_EQ(found->name, gpu.name);
		EXPECT_GT(gpu.bandwidth_gb, 0);
	}
}

TEST(Gpus, ThatShareTheHostsMemoryNeedASize) {
	const auto gpu = findGpu("780M");
	ASSERT_TRUE(gpu.ok());
	EXPECT_FALSE(deviceOf(*gpu, 0).ok());
	const auto device = deviceOf(*gpu, 12 * kGiB);
	ASSERT_TRUE(device.ok());
	EXPECT_TRUE(device->unified);
	EXPECT_EQ(device->available, 12 * kGiB);
}

}  // namespace
