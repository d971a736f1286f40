// The promise of the planner: what it plans is what is allocated, per heap, to the byte; and at the boundary it says no before
// anything is allocated.
#include "infer/allocation.h"
#include "infer/device_spec.h"
#include "planner/file_types.h"
#include "planner/solve.h"

#include "ggufio/model_source.h"
#include "vk/device.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <iostream>
#include <numeric>

#include <unistd.h>

using namespace vkq;
namespace fs = std::filesystem;

namespace {

class ExactnessTest : public testing::Test {
protected:
	static void SetUpTestSuite() {
		auto opened = vk::Device::open();
		if (!opened.ok()) return;
		device = std::move(*opened);
		auto made = Kernels::create(*device);
		ASSERT_TRUE(made.ok()) << made.error().message;
		spec = deviceSpec(*made);
	}
	static void TearDownTestSuite() { device.reset(); }
	void SetUp() override {
		if (!device) GTEST_SKIP() << "no Vulkan device";
	}

	static uint64_t allocated() {
		const auto heaps = device->account();
		return std::accumulate(heaps.begin(), heaps.end(), uint64_t(0), [](uint64_t sum, const vk::HeapAccount& heap) { return sum + heap.allocated; });
	}

	static Request requestFor(const fs::path& path, std::string_view file_type) {
		Request request;
		auto source = openModelSource(path);
		EXPECT_TRUE(source.ok()) << source.error().message;
		request.model = *readHyperparameters((*source)->metadata(), (*source)->tensors(), path.string());
		request.tensors = *tensorsAs(mixtureModel(request.model), (*source)->tensors(), *findFileType(file_type));
		request.devices = {spec};
		return request;
	}

	inline static std::unique_ptr<vk::Device> device;
	inline static DeviceSpec spec;
};

std::vector<fs::path> models() {
	std::vector<fs::path> paths{VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf"};
	for (const auto& entry : fs::directory_iterator(VKQ_SOURCE_DIR "/tests/data/tiny-random")) paths.push_back(entry.path());
	return paths;
}

TEST_F(ExactnessTest, PlannedBytesAreAllocatedBytesInEveryHeap) {
	const uint64_t before = allocated();
	size_t plans = 0;
	for (const fs::path& path : models()) {
		for (const char* file_type : {"F16", "Q4_K_M"}) {
			Request request = requestFor(path, file_type);
			for (const TensorType cache : {TensorType::F16, TensorType::Q8_0, TensorType::Q4_0}) {
				for (const auto& [context, batch] : {std::pair{33u, 1u}, {512u, 512u}, {4096u, 64u}}) {
					request.k_type = request.v_type = cache;
					request.context = context;
					request.batch = batch;
					SCOPED_TRACE(path.string() + " " + file_type + " " + std::string(typeName(cache)) + " " + std::to_string(context));
					const auto plan = solve(request);
					ASSERT_TRUE(plan.ok()) << plan.error().message;
					ASSERT_TRUE(plan->fits) << plan->reason;
					vk::Device* devices[] = {device.get()};
					const auto allocation = Allocation::create(devices, *plan);
					ASSERT_TRUE(allocation.ok()) << allocation.error().message;
					EXPECT_EQ(allocated() - before, plan->deviceBytes() + plan->hostBytes());
					if (spec.unified) {
						EXPECT_EQ(allocated() - before, plan->heaps[0].planned);
					}
					++plans;
				}
			}
		}
	}
	EXPECT_EQ(allocated(), before) << "everything is given back";
	EXPECT_EQ(plans, models().size() * 2 * 3 * 3);
}

/// Bytes of memory that this process has, as the kernel counts them.
uint64_t residentBytes() {
	uint64_t pages = 0, resident = 0;
	std::ifstream("/proc/self/statm") >> pages >> resident;
	return resident * uint64_t(sysconf(_SC_PAGESIZE));
}

/// A plan that is large beside what else a driver and a process hold.
Plan largePlan(Request request) {
	request.context = 65536;
	request.batch = 32;
	request.k_type = request.v_type = TensorType::F32;
	return *solve(request);
}

TEST_F(ExactnessTest, AnIndependentCountMovesByThePlan) {
	const Plan plan = largePlan(requestFor(models().front(), "F16"));
	ASSERT_TRUE(plan.fits) << plan.reason;
	const uint64_t planned = plan.deviceBytes() + plan.hostBytes();
	ASSERT_GT(planned, 100 * kMiB);
	const auto budgetUse = [&] {
		uint64_t sum = 0;
		for (const vk::HeapInfo& heap : vk::currentHeaps(device->info())) sum += heap.used;
		return sum;
	};
	// A software device's memory is this process's, and the kernel counts that. Its budget, where it has one, is the whole machine's.
	const bool software = device->info().software();
	if (!software && !device->features().memory_budget) GTEST_SKIP() << "this driver has no budget query";
	const uint64_t resident = residentBytes(), budget = budgetUse();
	vk::Device* devices[] = {device.get()};
	const auto allocation = Allocation::create(devices, plan);
	ASSERT_TRUE(allocation.ok());
	const uint64_t counted = software ? residentBytes() - resident : budgetUse() - budget;
	const uint64_t slack = software ? 4 * kMiB : plan.blocks.size() * 2 * kMiB;   // thread stacks and command buffers; the largest page of a driver
	EXPECT_GE(counted + (software ? kMiB : 0), planned);
	EXPECT_LE(counted, planned + slack);
	if (software && device->features().memory_budget) {
		std::cout << "planned " << planned << ", resident " << counted << ", the driver's budget moved by " << int64_t(budgetUse()) - int64_t(budget) << " (the whole machine's)\n";
	}
}

TEST_F(ExactnessTest, AllocationsAreWholeGranulesOfTheDriver) {
	EXPECT_TRUE(std::has_single_bit(spec.granularity));
	for (const uint64_t bytes : {spec.granularity, 3 * spec.granularity}) {
		const uint64_t before = allocated();
		const auto buffer = vk::Buffer::create(*device, bytes, vk::MemoryUse::Device);
		ASSERT_TRUE(buffer.ok());
		EXPECT_EQ(allocated() - before, bytes) << "the driver rounds no further";
	}
}

TEST_F(ExactnessTest, ABudgetOneGranuleShortIsRefusedAndAllocatesNothing) {
	for (const fs::path& path : models()) {
		SCOPED_TRACE(path.string());
		Request request = requestFor(path, "Q8_0");
		request.context = 512;
		const Plan plan = *solve(request);
		request.devices[0].available = plan.heaps[0].planned;
		const uint64_t before = allocated();
		EXPECT_TRUE(solve(request)->fits);
		request.devices[0].available -= spec.granularity;
		const Plan refused = *solve(request);
		EXPECT_FALSE(refused.fits);
		EXPECT_EQ(refused.missing, spec.granularity);
		EXPECT_EQ(allocated(), before);
	}
}

}  // namespace
