// vkbench models: whole models: prompt and generation in tokens/s at several contexts and cache types. With VKQ_PEER (a command prefix
// that starts the reference's tools with the current folder as theirs) llama-bench runs the same cases in between.
//
// A case is a cache filled to `depth` tokens, then a prompt of --prompt tokens or --generate single tokens. The best of --repeat runs counts,
// because other load on the machine only ever adds time; CPU seconds a token are those of the same run.
#include "bench/vkbench.h"

#include "infer/session.h"
#include "vk/software_threads.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>

namespace vkq::bench {

namespace {

struct Options {
	std::vector<std::string> models;
	std::string device, variant, peer_options = "-ngl 0 -dev none";
	std::vector<uint32_t> depths{0, 1024};
	std::vector<std::string> cache_types{"f16", "q8_0"};
	uint32_t prompt = 128, generate = 16, batch = 512, repeat = 3, peer_threads = 0;
	bool json = false;
};

struct Rate {
	double tokens_per_second = 0;
	double cpu_seconds_per_token = 0;
};

struct Row {
	std::string model, device, cache_type;
	uint32_t depth;
	Rate prompt, generation;
	std::optional<double> peer_prompt, peer_generation;
};

std::vector<Token> someTokens(uint32_t count, uint32_t vocabulary) {
	std::vector<Token> tokens;
	for (uint32_t i = 0; i < count; ++i) tokens.push_back(Token((uint64_t(i) * 7919 + 13) % vocabulary));
	return tokens;
}

/// Wall and CPU time of `work`; the better of it and `best`.
template <class Work>
Result<void> measure(uint32_t tokens, Rate& best, Work&& work) {
	const auto start = std::chrono::steady_clock::now();
	const std::clock_t cpu_start = std::clock();
	VKQ_CHECK(work());
	const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	const double cpu = double(std::clock() - cpu_start) / CLOCKS_PER_SEC;
	if (tokens / wall > best.tokens_per_second) best = {tokens / wall, cpu / tokens};
	return {};
}

Result<void> measureCase(Session& session, const Options& options, Row& row) {
	const std::vector<Token> tokens = someTokens(row.depth + std::max(options.prompt, options.generate), session.model().n_vocab);
	const std::span<const Token> past = std::span(tokens).first(row.depth), rest = std::span(tokens).subspan(row.depth);
	VKQ_CHECK(session.rewind(0));
	if (!past.empty()) VKQ_CHECK(session.feed(past));
	const auto prompt = [&]() -> Result<void> {
		auto logits = session.feed(rest.first(options.prompt));
		return logits ? Result<void>() : Result<void>(logits.error());
	};
	const auto generate = [&]() -> Result<void> {
		for (uint32_t t = 0; t < options.generate; ++t) VKQ_CHECK(session.feed(rest.subspan(t, 1)));
		return {};
	};
	for (uint32_t i = 0; i <= options.repeat; ++i) {
		Rate warm_up;   // the first round compiles and records
		VKQ_CHECK(measure(options.prompt, i ? row.prompt : warm_up, prompt));
		VKQ_CHECK(session.rewind(row.depth));
		VKQ_CHECK(measure(options.generate, i ? row.generation : warm_up, generate));
		VKQ_CHECK(session.rewind(row.depth));
	}
	return {};
}

/// The reference's llama-bench for one case; nothing when it cannot be run.
std::optional<nlohmann::json> runPeer(const std::string& prefix, const std::filesystem::path& model, const Options& options, const Row& row) {
	const std::string threads = options.peer_threads ? fmt::format(" -t {}", options.peer_threads) : "";
	const std::string command = fmt::format("cd '{}' && {} llama-bench -m '{}' -p {} -n {} -d {} -b {} -ctk {} -ctv {} -fa 1 -r {} -o json {}{} 2>/dev/null",
	                                        std::filesystem::absolute(model).parent_path().string(), prefix, model.filename().string(), options.prompt, options.generate, row.depth,
	                                        options.batch, row.cache_type, row.cache_type, options.repeat, options.peer_options, threads);
	const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
	if (!pipe) return std::nullopt;
	std::string text;
	std::array<char, 4096> buffer;
	while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) text.append(buffer.data(), got);
	auto json = nlohmann::json::parse(text, nullptr, false);
	return json.is_array() ? std::optional(json) : std::nullopt;
}

void takePeer(const nlohmann::json& results, Row& row) {
	for (const auto& result : results) {
		if (!result.contains("avg_ts")) continue;
		(result.value("n_gen", 0) > 0 ? row.peer_generation : row.peer_prompt) = result["avg_ts"];
	}
}

void print(const std::vector<Row>& rows, bool peer) {
	fmt::print("{:<28} {:<7} {:>6} {:>14} {:>14} {:>12}", "model", "cache", "depth", "prompt t/s", "generate t/s", "CPU ms/token");
	if (peer) fmt::print(" {:>14} {:>14} {:>8} {:>8}", "ref. prompt", "ref. generate", "prompt", "generate");
	fmt::print("\n");
	for (const Row& row : rows) {
		fmt::print("{:<28} {:<7} {:>6} {:>14.1f} {:>14.2f} {:>12.2f}", row.model, row.cache_type, row.depth, row.prompt.tokens_per_second, row.generation.tokens_per_second,
		           row.generation.cpu_seconds_per_token * 1e3);
		if (row.peer_prompt && row.peer_generation) {
			fmt::print(" {:>14.1f} {:>14.2f} {:>6.2f} x {:>6.2f} x", *row.peer_prompt, *row.peer_generation, row.prompt.tokens_per_second / *row.peer_prompt,
			           row.generation.tokens_per_second / *row.peer_generation);
		}
		fmt::print("\n");
	}
}

nlohmann::ordered_json jsonOf(const Row& row) {
	nlohmann::ordered_json json{{"model", row.model}, {"device", row.device}, {"cache_type", row.cache_type}, {"depth", row.depth}};
	json["prompt_tokens_per_second"] = row.prompt.tokens_per_second;
	json["generation_tokens_per_second"] = row.generation.tokens_per_second;
	json["generation_cpu_seconds_per_token"] = row.generation.cpu_seconds_per_token;
	if (row.peer_prompt) json["reference_prompt_tokens_per_second"] = *row.peer_prompt;
	if (row.peer_generation) json["reference_generation_tokens_per_second"] = *row.peer_generation;
	return json;
}

Result<void> run(const Options& options) {
	const char* peer = std::getenv("VKQ_PEER");
	std::vector<Row> rows;
	for (const std::string& path : options.models) {
		VKQ_TRY(auto source, openModelSource(path));
		vk::chooseSoftwareThreads(source->storedBytes());   // as vkrun does
		for (const std::string& cache : options.cache_types) {
			const auto type = typeFromName(cache);
			if (!type) return fail(ErrorCode::kUsage, fmt::format("'{}' is no type", cache));
			SessionOptions session_options{.batch = options.batch, .k_type = *type, .v_type = *type, .variant = options.variant};
			session_options.context = *std::max_element(options.depths.begin(), options.depths.end()) + std::max(options.prompt, options.generate);
			if (!options.device.empty()) session_options.devices = {options.device};
			VKQ_TRY(Session session, Session::open(*source, session_options));
			for (const uint32_t depth : options.depths) {
				Row row{.model = std::filesystem::path(path).filename().string(), .device = session.deviceNames(), .cache_type = cache, .depth = depth};
				VKQ_CHECK(measureCase(session, options, row));
				if (peer) {
					if (const auto results = runPeer(peer, path, options, row)) takePeer(*results, row);
				}
				if (!options.json) fmt::print(stderr, "{} {} depth {}: done\n", row.model, cache, depth);
				rows.push_back(std::move(row));
			}
		}
	}
	if (options.json) {
		auto all = nlohmann::ordered_json::array();
		for (const Row& row : rows) all.push_back(jsonOf(row));
		fmt::print("{}\n", all.dump(2));
	} else {
		if (!rows.empty()) fmt::print("{}; prompt {} tokens, {} generated, the best of {}\n", rows[0].device, options.prompt, options.generate, options.repeat);
		print(rows, peer != nullptr);
	}
	return {};
}

}  // namespace

Part modelsPart(CLI::App& app) {
	auto options = std::make_shared<Options>();
	CLI::App* command = app.add_subcommand("models", "Whole models: prompt and generation, tokens/s");
	command->footer("Example: VKQ_PEER=env vkbench models model-q4_k_m.gguf --depths 0,2048 --kv f16,q8_0,q4_0\nVKQ_PEER: a command prefix that starts llama-bench; it is then measured in between.");
	command->add_option("MODEL", options->models, "GGUF files")->required();
	command->add_option("--device", options->device, "Index, UUID or part of the name");
	command->add_option("--variant", options->variant, "Kernel variant (vkinfo --devices lists them)");
	command->add_option("--depths", options->depths, "Tokens in the cache before")->delimiter(',')->capture_default_str();
	command->add_option("--kv", options->cache_types, "Cache types")->delimiter(',')->capture_default_str();
	command->add_option("--prompt", options->prompt, "Tokens of the prompt")->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_option("--generate", options->generate, "Tokens generated")->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_option("--batch", options->batch, "Tokens of a step")->check(CLI::Range(1, 65536))->capture_default_str();
	command->add_option("--repeat", options->repeat, "Runs; the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
	command->add_option("--peer-options", options->peer_options, "For llama-bench: where it runs")->capture_default_str();
	command->add_option("--peer-threads", options->peer_threads, "For llama-bench; 0: its default")->capture_default_str();
	command->add_flag("--json", options->json, "JSON instead of a table");
	return {command, [options] { return run(*options); }};
}

}  // namespace vkq::bench
