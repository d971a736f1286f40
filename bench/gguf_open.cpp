// How long opening a GGUF file takes: everything that is parsed before the first weight, with a vocabulary and a tensor list
// of the sizes that models have. The plan of a model is to take less than 50 ms, of which this is the larger part.
#include "ggufio/gguf_layout.h"
#include "ggufio/gguf_reader.h"

#include <benchmark/benchmark.h>

#include <cstdlib>

using namespace vkq;

namespace {

/// A file image of `tensors` small tensors, `vocabulary` tokens with scores and types, and two merges a token.
std::vector<std::byte> image(uint64_t tensors, uint64_t vocabulary) {
	Metadata metadata;
	metadata.set("general.architecture", std::string("llama"));
	std::vector<std::string> tokens, merges;
	for (uint64_t i = 0; i < vocabulary; ++i) {
		const std::string token = "token" + std::to_string(i * 7919 % 1000003);
		tokens.push_back(i % 5 ? token : token + " and a longer tail");   // one in five beyond std::string's own buffer
		merges.push_back(token.substr(0, 3) + " " + token.substr(3));
		merges.push_back(token.substr(0, 2) + " " + token.substr(2) + (i % 5 ? "" : " longer tail"));
	}
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(tokens)));
	metadata.set("tokenizer.ggml.scores", MetaArray(std::vector<float>(vocabulary)));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>(vocabulary, 1)));
	metadata.set("tokenizer.ggml.merges", MetaArray(std::move(merges)));
	std::vector<TensorInfo> infos(tensors);
	for (uint64_t i = 0; i < tensors; ++i) {
		infos[i].name = "blk." + std::to_string(i / 9) + ".tensor_" + std::to_string(i % 9) + ".weight";
		infos[i].dimensions = 2;
		infos[i].ne = {32, 2, 1, 1};
		infos[i].type = TensorType::F16;
	}
	const auto layout = layOutGguf(metadata, std::move(infos));
	if (!layout.ok()) std::abort();
	std::vector<std::byte> bytes = ggufHeader(metadata, *layout);
	bytes.resize(layout->file_bytes);
	return bytes;
}

void openGguf(benchmark::State& state) {
	const std::vector<std::byte> bytes = image(uint64_t(state.range(0)), uint64_t(state.range(1)));
	for (auto _ : state) {
		const auto file = GgufFile::parse(bytes, "bench.gguf");
		if (!file.ok()) state.SkipWithError(file.error().message.c_str());
		benchmark::DoNotOptimize(file->tensors().size());
	}
	state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(bytes.size()));
}
BENCHMARK(openGguf)->ArgNames({"tensors", "vocabulary"})->Args({300, 32000})->Args({1000, 128256})->Args({2000, 262144})->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
