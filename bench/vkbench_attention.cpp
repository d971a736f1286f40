// vkbench attention: one layer's attention over a filled cache: time, GB/s of cache read. As with products, a sample passes over at least --megabytes
// of caches. On devices of variant software-stream both forms are measured.
#include "bench/sample.h"
#include "bench/vkbench.h"

#include "core/bytes.h"
#include "kernels/attention.h"
#include "kernels/product.h"
#include "quant/device_layout.h"
#include "shaders/shared/step.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>

namespace vkq::bench {

namespace {

using namespace vkq::vk;

struct Options {
	std::string device, variant;
	uint32_t heads = 32, kv_heads = 8, head_dim = 64;
	std::vector<uint32_t> positions{512, 4096}, tokens{1};
	std::vector<std::string> types{"F16", "Q8_0", "Q4_0"};
	uint32_t repeat = 5;
	uint64_t megabytes = 64;
	bool json = false;
};

struct Row {
	TensorType type;
	uint32_t positions, tokens;
	bool whole_vectors;
	double cache_bytes;
	Sample time;   // of one layer
};

Result<Row> measure(const Kernels& kernels, const Options& o, TensorType type, uint32_t positions, uint32_t tokens, bool whole_vectors) {
	constexpr uint32_t kSplitPositions = 256, kMostSplits = 16, kSplitTokens = 8;   // as planner/scratch.cpp splits
	Device& device = *kernels.device;
	const uint32_t cells = uint32_t(alignUp(positions, kKeyInterleave));
	const auto key_layout = deviceLayout(type, o.head_dim, uint64_t(o.kv_heads) * cells, kKeyInterleave), value_layout = deviceLayout(type, o.head_dim, uint64_t(o.kv_heads) * cells, 1);
	if (!key_layout || !value_layout || !isCacheType(type)) return fail(ErrorCode::kUsage, fmt::format("{} is no type of a cache with heads of {}", typeName(type), o.head_dim));
	const uint32_t splits = tokens > kSplitTokens ? 1 : std::clamp(uint32_t(divideUp(positions, kSplitPositions)), 1u, kMostSplits);
	const double cache_bytes = double(key_layout->bytes + value_layout->bytes);
	const uint64_t layers = std::max<uint64_t>(1, (o.megabytes << 20) / (key_layout->bytes + value_layout->bytes));
	std::vector<Buffer> keys, values;
	for (uint64_t i = 0; i < layers; ++i) {
		for (auto* side : {&keys, &values}) {
			VKQ_TRY(auto buffer, Buffer::create(device, side == &keys ? key_layout->bytes : value_layout->bytes, MemoryUse::Upload));
			std::memset(buffer.mapped(), 0x31, buffer.bytes());   // halves and scales of ordinary size
			side->push_back(std::move(buffer));
		}
	}
	const uint64_t query_bytes = uint64_t(tokens) * o.heads * o.head_dim * 4;
	VKQ_TRY(auto query, Buffer::create(device, query_bytes, MemoryUse::Upload));
	for (uint64_t i = 0; i < query_bytes / 4; ++i) reinterpret_cast<float*>(query.mapped())[i] = float(int(i * 7919 % 201) - 100) * 0.001f;
	VKQ_TRY(auto output, Buffer::create(device, query_bytes, MemoryUse::Device));
	VKQ_TRY(auto parts, Buffer::create(device, uint64_t(splits) * tokens * o.heads * (o.head_dim + 2) * 4, MemoryUse::Device));
	VKQ_TRY(auto step, Buffer::create(device, sizeof(shader::StepInput), MemoryUse::Upload));
	const shader::StepInput input{positions - tokens, tokens, 0, 0};
	std::memcpy(step.mapped(), &input, sizeof input);

	VKQ_TRY(auto commands, CommandBuffer::create(device));
	VKQ_CHECK(commands.begin());
	for (uint64_t i = 0; i < layers; ++i) {
		const CachePiece key{keys[i], type, 0, o.kv_heads, cells}, value{values[i], type, 0, o.kv_heads, cells};
		VKQ_CHECK(recordAttention(device, commands, {.step_input = step, .query = query, .query_stride = o.heads * o.head_dim, .keys = {&key, 1}, .values = {&value, 1},
		                                             .output = {output}, .splits_buffer = parts, .splits = splits, .tokens = tokens, .heads = o.heads, .kv_heads = o.kv_heads,
		                                             .head_dim = o.head_dim, .whole_vectors = whole_vectors}));
		commands.barrier();
	}
	Row row{type, positions, tokens, whole_vectors, cache_bytes, {}};
	VKQ_TRY(row.time, sample(commands, o.repeat));
	row.time.wall /= double(layers);
	row.time.cpu /= double(layers);
	return row;
}

Result<void> run(const Options& options) {
	if (!options.heads || !options.kv_heads || options.heads % options.kv_heads || !options.head_dim || options.head_dim % 4)
		return fail(ErrorCode::kUsage, "heads are a multiple of the key/value heads, of a size that is a multiple of 4");
	VKQ_TRY(auto device, Device::open(options.device));
	VKQ_TRY(const Kernels kernels, Kernels::create(*device, options.variant));
	nlohmann::json json{{"device", device->info().name}, {"driver", device->info().driver}, {"variant", kernels.variant.name}, {"heads", options.heads},
	                    {"kv_heads", options.kv_heads}, {"head_dim", options.head_dim}, {"attention", nlohmann::json::array()}};
	if (!options.json) {
		fmt::print("device   {}\ndriver   {}\nvariant  {}\nheads    {} of {}, {} for keys and values\n\n", device->info().name, device->info().driver, kernels.variant.name, options.heads,
		           options.head_dim, options.kv_heads);
		fmt::print("{:<7} {:>9} {:>6} {:<7} {:>9} {:>7} {:>12} {:>9}\n", "cache", "positions", "tokens", "loads", "microsec", "GB/s", "cpu microsec", "first ms");
	}
	for (const std::string& name : options.types) {
		const auto type = typeFromName(name);
		if (!type) return fail(ErrorCode::kUsage, fmt::format("there is no type '{}'", name));
		for (const uint32_t positions : options.positions)
			for (const uint32_t tokens : options.tokens)
				for (const bool whole : {false, true}) {
					if ((whole && !kernels.variant.stream) || !tokens || tokens > positions) continue;
					VKQ_TRY(const Row row, measure(kernels, options, *type, positions, tokens, whole));
					const double rate = row.cache_bytes / row.time.wall * 1e-9;
					json["attention"].push_back({{"type", typeName(*type)}, {"positions", positions}, {"tokens", tokens}, {"whole_vectors", whole}, {"seconds", row.time.wall},
					                             {"cpu_seconds", row.time.cpu}, {"GBps", rate}, {"first_seconds", row.time.first}});
					if (options.json) continue;
					fmt::print("{:<7} {:>9} {:>6} {:<7} {:>9.1f} {:>7.2f} {:>12.1f} {:>9.1f}\n", typeName(*type), positions, tokens, whole ? "vectors" : "plain", row.time.wall * 1e6, rate,
					           row.time.cpu * 1e6, row.time.first * 1e3);
					std::fflush(stdout);
				}
	}
	if (options.json) fmt::print("{}\n", json.dump(1, '\t'));
	return {};
}

}  // namespace

Part attentionPart(CLI::App& app) {
	auto options = std::make_shared<Options>();
	CLI::App* command = app.add_subcommand("attention", "Attention over a filled cache: GB/s by type and length");
	command->footer("Example: vkbench attention --types F16,Q8_0 --positions 512,8192 --tokens 1");
	command->add_option("--device", options->device, "Index, UUID or part of the name");
	command->add_option("--variant", options->variant, "Kernel variant (vkinfo --devices lists them)");
	command->add_option("--heads", options->heads, "Query heads")->capture_default_str();
	command->add_option("--kv-heads", options->kv_heads, "Key/value heads")->capture_default_str();
	command->add_option("--head-dim", options->head_dim, "Elements of a head")->capture_default_str();
	command->add_option("--positions", options->positions, "Positions in the cache")->delimiter(',')->check(CLI::Range(1, 1 << 20))->capture_default_str();
	command->add_option("--tokens", options->tokens, "Tokens a step")->delimiter(',')->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_option("--types", options->types, "Types of K and V")->delimiter(',')->capture_default_str();
	command->add_option("--repeat", options->repeat, "Samples; the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
	command->add_option("--megabytes", options->megabytes, "Cache that a sample passes over")->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_flag("--json", options->json, "JSON instead of a table");
	return {command, [options] { return run(*options); }};
}

}  // namespace vkq::bench
