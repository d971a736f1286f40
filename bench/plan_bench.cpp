// How long planning takes: a model of 1,000 tensors, the whole table of thirteen file types with their longest contexts. The tool
// is to answer within 50 ms, its start and the reading of the header included; a large vocabulary comes on top.
#include "arch/known_shapes.h"
#include "ggufio/gguf_layout.h"
#include "planner/advise.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vkq;
namespace fs = std::filesystem;

namespace {

/// 111 layers of nine tensors each, and three more: 1,002 tensors.
ModelShape thousandTensorShape() { return *overrideShape(*shapeForSize("70"), "layers=111"); }

AdviceRequest thousandTensors(size_t devices) {
	AdviceRequest request;
	request.base.model = *hyperparameters(thousandTensorShape());
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

/// The same model as a GGUF file of F16 weights (a hole: 194 GB that are nowhere), bare or with a vocabulary and merges of Llama 3's number.
struct ModelFile {
	fs::path path;
	uint64_t header_bytes = 0;

	explicit ModelFile(bool vocabulary) {
		const ModelShape shape = thousandTensorShape();
		Metadata metadata = metadataOf(shape);
		metadata.set("general.file_type", uint32_t(1));
		std::vector<std::string> tokens, merges;
		for (uint32_t i = 0; vocabulary && i < shape.n_vocab; ++i) tokens.push_back(fmt::format("{:06}", i));
		for (uint32_t i = 0; vocabulary && i < 280147; ++i) merges.push_back(fmt::format("{:04} {:03}", i / 1000, i % 1000));
		if (vocabulary) {
			metadata.set("tokenizer.ggml.model", std::string("gpt2"));
			metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(tokens)));
			metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>(shape.n_vocab, 1)));
			metadata.set("tokenizer.ggml.merges", MetaArray(std::move(merges)));
		}
		auto tensors = expectedTensors(*hyperparameters(shape));
		const auto layout = layOutGguf(metadata, std::move(tensors));
		if (!layout) std::abort();
		const std::vector<std::byte> header = ggufHeader(metadata, *layout);
		header_bytes = header.size();
		path = fs::temp_directory_path() / fmt::format("plan-bench-{}.gguf", getpid());
		std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(header.data()), std::streamsize(header.size()));
		fs::resize_file(path, layout->file_bytes);
	}
	~ModelFile() {
		std::error_code ignored;
		fs::remove(path, ignored);
	}
};

/// Runs the program from start to end, its output thrown away.
void runTool(benchmark::State& state, std::vector<std::string> arguments) {
	arguments.insert(arguments.begin(), (fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/vkplan").string());
	std::vector<char*> argv;
	for (std::string& argument : arguments) argv.push_back(argument.data());
	argv.push_back(nullptr);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	for (auto _ : state) {
		pid_t child = 0;
		int status = 0;
		if (posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 127) {
			state.SkipWithError("vkplan cannot be run: build it too");
			break;
		}
	}
	posix_spawn_file_actions_destroy(&actions);
}

void toolOnAFile(benchmark::State& state, bool vocabulary) {
	const ModelFile file(vocabulary);
	runTool(state, {file.path.string(), "--vram", "48", "--ctx", "4096"});
	state.counters["header_MB"] = double(file.header_bytes) * 1e-6;
}
BENCHMARK_CAPTURE(toolOnAFile, bare, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(toolOnAFile, vocabulary, true)->Unit(benchmark::kMillisecond)->UseRealTime();

void toolOnASize(benchmark::State& state) { runTool(state, {"--params", "7", "--vram", "8"}); }
BENCHMARK(toolOnASize)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
