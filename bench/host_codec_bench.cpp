// Host encoders and decoders, one core: million weights per second and GB/s of what is read and written, for every format.
// What they are measured against: the copy of the same floats (memcpy), and for encoders the reference's library where
// VKQ_PEER_GGML names it (libggml-base.so.0), both sides in the same run.
//
//   bench.host_codec_bench --benchmark_filter='Q4_K|copy'
#include "core/half.h"
#include "quant/codec.h"

#include <benchmark/benchmark.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

using namespace vkq;

namespace {

constexpr uint64_t kRow = 4096, kRows = 64;
constexpr uint64_t kWeights = kRow * kRows;   // 1 MiB of floats: what a slab is to a core's second-level cache

/// Weights as they come from F16 files.
const std::vector<float>& weights() {
	static const std::vector<float> values = [] {
		std::mt19937 random(1);
		std::normal_distribution<float> normal(0, 0.02f);
		std::vector<float> v(kWeights);
		for (float& x : v) x = halfToFloat(floatToHalf(normal(random)));
		return v;
	}();
	return values;
}

const std::vector<float>& importance() {
	static const std::vector<float> values = [] {
		std::mt19937 random(2);
		std::normal_distribution<float> normal;
		std::vector<float> v(kRow);
		for (float& x : v) x = normal(random) * normal(random);
		for (float& x : v) x *= x;
		return v;
	}();
	return values;
}

void report(benchmark::State& state, uint64_t bytes) {
	state.counters["Mweights/s"] = benchmark::Counter(double(state.iterations()) * kWeights / 1e6, benchmark::Counter::kIsRate);
	state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(bytes));
}

void encode(benchmark::State& state, TensorType type, bool weighted) {
	const uint64_t row_bytes = *typeBytes(type, kRow);
	std::vector<std::byte> out(row_bytes * kRows);
	const float* columns = weighted ? importance().data() : nullptr;
	for (auto _ : state) {
		for (uint64_t r = 0; r < kRows; ++r) encodeRow(type, weights().data() + r * kRow, kRow, columns, out.data() + r * row_bytes);
		benchmark::DoNotOptimize(out.data());
		benchmark::ClobberMemory();
	}
	report(state, kWeights * 4 + out.size());
}

void decode(benchmark::State& state, TensorType type) {
	std::vector<std::byte> in(*typeBytes(type, kWeights));
	encodeRow(type, weights().data(), kWeights, nullptr, in.data());
	std::vector<float> out(kWeights);
	for (auto _ : state) {
		decodeRow(type, in.data(), kWeights, out.data());
		benchmark::DoNotOptimize(out.data());
		benchmark::ClobberMemory();
	}
	report(state, kWeights * 4 + in.size());
}

void copy(benchmark::State& state) {
	std::vector<float> out(kWeights);
	for (auto _ : state) {
		std::memcpy(out.data(), weights().data(), kWeights * 4);
		benchmark::DoNotOptimize(out.data());
		benchmark::ClobberMemory();
	}
	report(state, kWeights * 8);
}

/// size_t ggml_quantize_chunk(type, source, target, first weight, rows, weights a row, importance)
using ReferenceEncoder = size_t (*)(int, const float*, void*, int64_t, int64_t, int64_t, const float*);

ReferenceEncoder referenceEncoder() {
	const char* library = std::getenv("VKQ_PEER_GGML");
	void* handle = library ? dlopen(library, RTLD_NOW) : nullptr;
	return handle ? reinterpret_cast<ReferenceEncoder>(dlsym(handle, "ggml_quantize_chunk")) : nullptr;
}

void encodeByReference(benchmark::State& state, ReferenceEncoder encoder, TensorType type, bool weighted) {
	std::vector<std::byte> out(*typeBytes(type, kWeights));
	for (auto _ : state) {
		encoder(int(type), weights().data(), out.data(), 0, int64_t(kRows), int64_t(kRow), weighted ? importance().data() : nullptr);
		benchmark::DoNotOptimize(out.data());
		benchmark::ClobberMemory();
	}
	report(state, kWeights * 4 + out.size());
}

}  // namespace

int main(int argc, char** argv) {
	const ReferenceEncoder reference = referenceEncoder();
	benchmark::RegisterBenchmark("copy", copy);
	for (const TypeInfo& info : allTypes()) {
		if (!info.has_codec) continue;
		const TensorType type = info.type;
		for (const bool weighted : {false, true}) {
			if (weighted && !usesImportance(type)) continue;
			const std::string name = fmt::format("encode/{}{}", info.name, weighted ? "/importance" : "");
			benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { encode(state, type, weighted); });
			if (reference && info.quantized)
				benchmark::RegisterBenchmark((name + "/reference").c_str(), [=](benchmark::State& state) { encodeByReference(state, reference, type, weighted); });
		}
		benchmark::RegisterBenchmark(fmt::format("decode/{}", info.name).c_str(), [=](benchmark::State& state) { decode(state, type); });
	}
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
