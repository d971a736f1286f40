// How long planning takes: a model of 1,000 tensors, the whole table of thirteen file types with their longest contexts. The tool
// is to answer within 50 ms, its start included.
#include "arch/known_shapes.h"
#include "planner/advise.h"

#include <benchmark/benchmark.h>

using namespace vkq;

namespace {

/// 111 layers of nine tensors each, and three more: 1,002 tensors.
AdviceRequest thousandTensors(size_t devices) {
	AdviceRequest request;
	request.base.model = *hyperparameters(*overrideShape(*shapeForSize("70"), "layers=111"));
	request.source = expectedTensors(request.base.model);
	for (const char* type : {"F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q4_0", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"}) {
		request.types.push_back(*findFileType(type));
	}
	for (size_t i = 0; i < devices; ++i) {
		DeviceSpec device;
		device.name = "GPU";
		device.memory = device.available = 48 * kGiB;
		request.base.devices.push_back(device);
	}
	return request;
}

void adviseOneDevice(benchmark::State& state) {
	const AdviceRequest request = thousandTensors(1);
	for (auto _ : state) benchmark::DoNotOptimize(advise(request));
	state.counters["tensors"] = double(request.source.size());
}
BENCHMARK(adviseOneDevice)->Unit(benchmark::kMillisecond);

void adviseTwoDevices(benchmark::State& state) {
	const AdviceRequest request = thousandTensors(2);
	for (auto _ : state) benchmark::DoNotOptimize(advise(request));
}
BENCHMARK(adviseTwoDevices)->Unit(benchmark::kMillisecond);

void solveOnce(benchmark::State& state) {
	AdviceRequest advice = thousandTensors(1);
	Request request = advice.base;
	request.tensors = advice.source;
	request.devices[0].available = 1024 * kGiB;
	for (auto _ : state) benchmark::DoNotOptimize(solve(request));
}
BENCHMARK(solveOnce)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
