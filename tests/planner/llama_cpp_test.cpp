// What llama.cpp itself says that it will allocate, against our prediction: weights and cache to the last printed digit, the sum
// within 2 % on every device, with one and with several. Needs VKQ_PEER, the command in front of a llama.cpp tool's name (it sees the current folder as its own), built with
// Vulkan and with a device, which may be a software one.
#include "ggufio/gguf_writer.h"
#include "ggufio/model_source.h"
#include "planner/graph_memory.h"
#include "planner/graph_order.h"
#include "planner/llama_cpp.h"
#include "requests.h"
#include "tests/temp_folder.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>

using namespace vkq;
namespace fs = std::filesystem;

namespace {

uint64_t bytesOn1(const GraphMemory& graph) { return graph.measure(1, 16, 1).front(); }

TEST(GraphMemory, ReusesTheBestFittingHole) {
	GraphMemory graph;
	const auto first = graph.result(GraphOp::Product, 1000, {}), between = graph.result(GraphOp::Product, 16, {first});
	const auto small = graph.result(GraphOp::Product, 100, {first}), last = graph.result(GraphOp::Product, 16, {first, small});
	const auto fits_small = graph.result(GraphOp::Product, 96, {between, last});
	graph.result(GraphOp::Product, 500, {between, last, fits_small});
	EXPECT_EQ(bytesOn1(graph), 1008u + 16 + 112 + 16);
}

TEST(GraphMemory, WorksInPlaceOnlyOnTheLastUse) {
	GraphMemory once;
	once.result(GraphOp::Scale, 64, {once.input(64)});
	EXPECT_EQ(bytesOn1(once), 64u);
	GraphMemory twice;
	const auto input = twice.input(64);
	twice.result(GraphOp::Product, 64, {twice.result(GraphOp::Scale, 64, {input}), input});
	EXPECT_EQ(bytesOn1(twice), 3 * 64u);
}

TEST(GraphMemory, KeepsWhatAViewShows) {
	GraphMemory graph;
	const auto made = graph.result(GraphOp::Product, 64, {});
	const auto seen = graph.view(made);
	const auto next = graph.result(GraphOp::Product, 64, {made});
	graph.result(GraphOp::Product, 64, {next, seen});
	EXPECT_EQ(bytesOn1(graph), 3 * 64u);
}

TEST(GraphMemory, CopiesWhatGoesFromDeviceToDevice) {
	GraphMemory graph;
	const auto made = graph.result(GraphOp::Product, 64, {graph.input(32)});
	graph.on(1);
	graph.result(GraphOp::Product, 16, {made});
	EXPECT_EQ(graph.measure(2, 16, 1), (std::vector<uint64_t>{32 + 64, 64 + 16}));
	EXPECT_EQ(graph.measure(2, 16, 4), (std::vector<uint64_t>{4 * 32 + 64, 4 * 64 + 16})) << "four steps at once";
}

TEST(GraphOrder, PullsForwardWhatWaitsForNothing) {
	const std::vector<GraphNode> nodes{{GraphOp::RmsNorm}, {GraphOp::Multiply, 0, {0}}, {GraphOp::Product, 0, {1}}, {GraphOp::Scale, 0, {2}}, {GraphOp::Product, 0, {1}}};
	const std::vector<GraphId> ids{0, 1, 2, 3, 4};
	EXPECT_EQ(pulledForward(nodes, ids), (std::vector<GraphId>{0, 1, 2, 4, 3}));
}

TEST(LlamaCppMemory, KeepsLogitsOfAWholeStep) {
	const Request request = test::requestFor("8", "Q4_K_M", test::deviceWith(64 * kGiB));
	const LlamaCppMemory memory = llamaCppMemory(request.model, request.tensors, {.context = 8192, .batch = 512});
	EXPECT_GT(memory.total().compute, 128256ull * 512 * 4);
	EXPECT_EQ(memory.total().cache, 8192ull * 32 * 8 * 128 * 2 * 2);
	EXPECT_EQ(memory.host_weights, request.tensors[2].bytes);
	EXPECT_EQ(request.tensors[2].name, "token_embd.weight");
}

TEST(LlamaCppMemory, RoundsContextsUpTo256) {
	const Request request = test::requestFor("8", "Q4_K_M", test::deviceWith(64 * kGiB));
	EXPECT_EQ(llamaCppMemory(request.model, request.tensors, {.context = 1}).total().cache, llamaCppMemory(request.model, request.tensors, {.context = 256}).total().cache);
}

TEST(LlamaCppMemory, SplitsLayersInProportionAndLosesNone) {
	const Request request = test::requestFor("8", "Q4_K_M", test::deviceWith(64 * kGiB));
	const LlamaCppMemory one = llamaCppMemory(request.model, request.tensors, {});
	const LlamaCppMemory two = llamaCppMemory(request.model, request.tensors, {.split = {3, 1}});
	ASSERT_EQ(two.devices.size(), 2u);
	EXPECT_EQ(two.devices[0].layers, 25u) << "the layers i of 33, the head being one, with i / 33 below 3/4";
	EXPECT_EQ(two.devices[1].layers, 7u);
	EXPECT_TRUE(two.devices[1].head && !two.devices[0].head);
	EXPECT_EQ(two.total().cache, one.total().cache);
	EXPECT_GE(two.total().weights, one.total().weights) << "rotation factors are on both";
	EXPECT_GT(two.total().compute, one.total().compute);
	EXPECT_EQ(llamaCppMemory(request.model, request.tensors, {.split = {1, 0}}).devices[1].weights, 0u);
}

TEST(LlamaCppLargestContext, IsTheLargest) {
	const Request request = test::requestFor("8", "Q4_K_M", test::deviceWith(64 * kGiB));
	const std::vector<uint64_t> available{8 * kGiB};
	const uint32_t most = llamaCppLargestContext(request.model, request.tensors, {}, available, 131072);
	ASSERT_GT(most, 4096u);
	EXPECT_TRUE(llamaCppMemory(request.model, request.tensors, {.context = most}).fits(available));
	EXPECT_FALSE(llamaCppMemory(request.model, request.tensors, {.context = most + 256}).fits(available));
}

double mib(uint64_t bytes) { return double(bytes) / double(kMiB); }

/// The numbers of all lines that match, summed.
std::optional<double> sumOf(const std::string& text, const char* pattern) {
	const std::regex regex(pattern);
	double sum = 0;
	bool any = false;
	for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) sum += std::stod((*it)[1]), any = true;
	return any ? std::optional(sum) : std::nullopt;
}

/// A model as a GGUF file of its shape: no tokenizer, weights a hole in the file; sizing asks for neither.
void writeShape(const Metadata& of_model, std::vector<TensorInfo> tensors, const Hyperparameters& h, const fs::path& path) {
	Metadata metadata;
	for (const MetaEntry& entry : of_model.entries()) if (!entry.key.starts_with("tokenizer.")) metadata.set(entry.key, entry.value);
	metadata.set("tokenizer.ggml.model", std::string("none"));
	metadata.set(std::string(archName(h.arch)) + ".vocab_size", h.n_vocab);
	for (TensorInfo& tensor : tensors) tensor.offset = 0, tensor.shard = 0;
	const auto layout = layOutGguf(metadata, tensors);
	ASSERT_TRUE(layout.ok());
	const std::vector<std::byte> header = ggufHeader(metadata, *layout);
	std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(header.data()), std::streamsize(header.size()));
	fs::resize_file(path, layout->file_bytes);
}

struct Setting {
	int context, batch;
	TensorType cache;
	std::vector<double> split;
};

std::string joined(const std::vector<double>& split) {
	std::string text;
	for (const double part : split) text += (text.empty() ? "" : ",") + std::to_string(int(part));
	return text;
}

/// False: the reference does not say what it would take.
bool compareWithPeer(std::span<const TensorInfo> tensors, const Hyperparameters& h, const test::TempFolder& folder, const Setting& setting) {
	const size_t devices = setting.split.size();
	const std::string type = setting.cache == TensorType::F16 ? "f16" : "q8_0";
	SCOPED_TRACE(std::to_string(setting.context) + " tokens, steps of " + std::to_string(setting.batch) + ", " + type + ", " + std::to_string(devices) + " devices");
	std::string visible = "0";
	for (size_t i = 1; i < devices; ++i) visible += ",0";   // the same device several times
	const std::string command = "cd " + folder.path().string() + " && GGML_VK_VISIBLE_DEVICES=" + visible + " " + std::getenv("VKQ_PEER") +
	                            " llama-fit-params -m model.gguf -c " + std::to_string(setting.context) + " -ub " + std::to_string(setting.batch) + " -ctk " + type + " -ctv " +
	                            type + (devices > 1 ? " -ts " + joined(setting.split) : "") + " -v > log.txt 2>&1";
	const int status = std::system(command.c_str());
	std::ifstream log(folder.path() / "log.txt");
	const std::string text((std::istreambuf_iterator<char>(log)), {});
	const auto said_cache = sumOf(text, R"(llama_kv_cache: size = +([0-9.]+) MiB)");
	if (status != 0 || !said_cache) return false;
	const LlamaCppMemory memory = llamaCppMemory(h, tensors, {uint32_t(setting.context), uint32_t(setting.batch), setting.cache, setting.cache, setting.split});
	EXPECT_NEAR(mib(memory.total().cache), *said_cache, 0.0101);   // two decimals of each of two caches
	for (size_t i = 0; i < devices; ++i) {
		const LlamaCppDevice& device = memory.devices[i];
		const std::string name = "Vulkan" + std::to_string(i);
		const auto said_compute = sumOf(text, (name + R"( compute buffer size = +([0-9.]+) MiB)").c_str());
		const auto said_weights = sumOf(text, (name + R"( [^\n]*\( +[0-9]+ = +([0-9]+) \+)").c_str());
		if (!said_weights) return false;
		EXPECT_EQ(std::floor(mib(device.weights)), *said_weights) << name;   // whole MiB
		const double said = mib(device.weights + device.cache) + said_compute.value_or(0);   // a device without work has no buffer
		EXPECT_NEAR(mib(device.bytes()), said, 0.02 * said) << name << ": compute " << mib(device.compute) << " against " << said_compute.value_or(0);
	}
	return true;
}

void compareWithPeer(const std::string& name, const Metadata& metadata, const std::vector<TensorInfo>& tensors) {
	SCOPED_TRACE(name);
	const auto h = readHyperparameters(metadata, tensors, name);
	ASSERT_TRUE(h.ok()) << h.error().message;
	const test::TempFolder folder;
	writeShape(metadata, tensors, *h, folder / "model.gguf");
	const Setting settings[] = {
		{512, 512, TensorType::F16, {1}}, {2048, 512, TensorType::F16, {1}}, {512, 128, TensorType::F16, {1}}, {1024, 64, TensorType::Q8_0, {1}},
		{512, 512, TensorType::F16, {1, 1}}, {2048, 256, TensorType::Q8_0, {3, 1}}, {1024, 512, TensorType::F16, {1, 3, 2}},
	};
	for (const Setting& setting : settings) {
		if (compareWithPeer(tensors, *h, folder, setting)) continue;
		GTEST_LOG_(INFO) << name << ": the reference does not say what it would take (no Vulkan device, or it cannot open the model)";
		return;
	}
}

TEST(LlamaCppPeer, AllocatesWhatIsPredicted) {
	if (!std::getenv("VKQ_PEER")) GTEST_SKIP() << "VKQ_PEER is not set";
	std::vector<fs::path> paths{VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf"};
	for (const auto& entry : fs::directory_iterator(VKQ_SOURCE_DIR "/tests/data/tiny-random")) paths.push_back(entry.path());
	for (const fs::path& path : paths) {
		auto source = openModelSource(path);
		ASSERT_TRUE(source.ok()) << source.error().message;
		compareWithPeer(path.filename(), (*source)->metadata(), {(*source)->tensors().begin(), (*source)->tensors().end()});
	}
	// What make_synthetic makes: of 168 and of 618 million weights, as they are and quantized.
	for (const char* shape : {"layers=6,embd=1280,ff=5120,heads=20,kv=5,vocab=10000,ctx=4096", "layers=8,embd=2048,ff=8192,heads=32,kv=8,vocab=32000,ctx=4096"}) {
		const ModelShape synthetic = *overrideShape({}, shape);
		const Hyperparameters h = *hyperparameters(synthetic);
		for (const char* type : {"F16", "Q4_K_M"}) compareWithPeer(std::string(shape) + " " + type, metadataOf(synthetic), *tensorsAs(mixtureModel(h), expectedTensors(h), *findFileType(type)));
	}
}

}  // namespace
