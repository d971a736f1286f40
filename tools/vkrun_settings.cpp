#include "tools/vkrun_settings.h"

#include "core/text.h"
#include "core/units.h"
#include "tools/common.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace vkq::tools {

namespace {

std::vector<std::string> splitAtCommas(const std::string& list) {
	std::vector<std::string> parts;
	for (size_t at = 0; at <= list.size() && !list.empty();) {
		const size_t comma = std::min(list.find(',', at), list.size());
		parts.push_back(list.substr(at, comma - at));
		at = comma + 1;
	}
	return parts;
}

Result<TensorType> cacheType(std::string_view option, const std::string& text) {
	const auto type = typeFromName(text);
	if (!type) return fail(ErrorCode::kUsage, fmt::format("{}: {} is no type", option, quote(text)), "cache types: f16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl f32");
	return *type;
}

template <class Number>
Result<void> takeParameter(const Modelfile& modelfile, std::string_view name, std::optional<Number>& value) {
	const auto text = modelfile.parameter(name);
	if (value || !text) return {};
	Number number{};
	const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
	if (error != std::errc{} || end != text->data() + text->size()) {
		return fail(ErrorCode::kUsage, fmt::format("Modelfile: PARAMETER {} is {}, which is no such number", name, quote(*text)));
	}
	value = number;
	return {};
}

/// Ollama's num_predict: -1 and -2 mean "as long as it takes".
Result<void> takePredict(const Modelfile& modelfile, std::optional<uint32_t>& predict) {
	std::optional<int64_t> number;
	VKQ_CHECK(takeParameter(modelfile, "num_predict", number));
	if (number && !predict) predict = *number < 0 ? 0 : uint32_t(std::min<int64_t>(*number, UINT32_MAX));
	return {};
}

Result<void> takeModelfile(RunArguments& a, RunSettings& settings) {
	VKQ_TRY(settings.modelfile, readModelfile(a.modelfile));
	const Modelfile& modelfile = *settings.modelfile;
	if (!modelfile.adapters.empty()) return fail(ErrorCode::kUnsupported, fmt::format("{}: ADAPTER is not supported", a.modelfile), "merge the adapter into the model first");
	if (settings.model.empty()) {
		const std::filesystem::path beside = std::filesystem::path(a.modelfile).parent_path() / modelfile.from;
		if (!std::filesystem::exists(beside)) {
			return fail(ErrorCode::kNotFound, fmt::format("{}: FROM {} is no file here", a.modelfile, quote(modelfile.from)), "names of Ollama's library are not fetched: name a GGUF file, or give MODEL");
		}
		settings.model = beside.string();
	}
	if (!settings.system) settings.system = modelfile.system;
	VKQ_CHECK(takeParameter(modelfile, "temperature", a.temperature));
	VKQ_CHECK(takeParameter(modelfile, "top_k", a.top_k));
	VKQ_CHECK(takeParameter(modelfile, "top_p", a.top_p));
	VKQ_CHECK(takeParameter(modelfile, "min_p", a.min_p));
	VKQ_CHECK(takeParameter(modelfile, "repeat_penalty", a.repeat_penalty));
	VKQ_CHECK(takeParameter(modelfile, "repeat_last_n", a.repeat_window));
	VKQ_CHECK(takeParameter(modelfile, "seed", a.seed));
	VKQ_CHECK(takeParameter(modelfile, "num_ctx", a.context));
	VKQ_CHECK(takePredict(modelfile, a.predict));
	for (const auto& [name, value] : modelfile.parameters)
		if (name == "stop") settings.stops.push_back(value);
	return {};
}

uint64_t seedFromClock() { return uint64_t(std::chrono::system_clock::now().time_since_epoch().count()); }

}  // namespace

std::optional<int> parseRunArguments(RunArguments& a, int argc, char** argv) {
	CLI::App app("", "vkrun");
	describe(app, "Runs a model: completes a prompt, answers one, or chats when standard input is a terminal.",
	         {"vkrun model.gguf", "vkrun model.gguf -p 'Once upon a time' --raw -n 100", "vkrun model.gguf -f question.txt --temp 0 --json",
	          "vkrun model.gguf --kv q8_0 --ctx 32768 --system 'Answer in one sentence.'", "vkrun --modelfile Modelfile -p 'Why is the sky blue?'",
	          "vkrun model.gguf --device 0,1", "echo 'What is 2 + 2?' | vkrun model.gguf"});
	app.add_option("MODEL", a.model, "a GGUF file (any one of a split), or a Hugging Face folder");
	auto* prompt = app.add_option("-p,--prompt", a.prompt, "the prompt")->group("Prompt");
	app.add_option("-f,--file", a.prompt_file, "read the prompt from a file")->excludes(prompt)->group("Prompt");
	app.add_option("--system", a.system, "what the model is told before the chat")->group("Prompt");
	app.add_option("--modelfile", a.modelfile, "FROM, SYSTEM, TEMPLATE, PARAMETER and MESSAGE of Ollama's Modelfile")->group("Prompt");
	app.add_option("--chat-format", a.chat_format, "how a chat is written: chatml, llama3, ...; default: the model's own")->group("Prompt");
	app.add_flag("--raw", a.raw, "no chat: the prompt is continued as it stands")->group("Prompt");
	app.add_flag("--no-thinking", a.no_thinking, "tell the model not to think, where it can be told (Qwen3)")->group("Prompt");
	app.add_option("-n,--predict", a.predict, "most tokens of an answer; 0: until it ends by itself or the context is full")->group("Answer");
	app.add_option("--temp", a.temperature, "temperature; 0: always the most likely token (default 0.8)")->group("Answer");
	app.add_option("--top-k", a.top_k, "keep the k most likely tokens; 0: all (default 40)")->group("Answer");
	app.add_option("--top-p", a.top_p, "keep the most likely tokens that reach this probability together (default 0.95)")->group("Answer");
	app.add_option("--min-p", a.min_p, "drop tokens less likely than this share of the most likely (default 0.05)")->group("Answer");
	app.add_option("--repeat-penalty", a.repeat_penalty, "makes recent tokens less likely; 1: off (default)")->group("Answer");
	app.add_option("--repeat-last-n", a.repeat_window, "how many tokens are recent; -1: all (default 64)")->group("Answer");
	app.add_option("--seed", a.seed, "the same seed gives the same text on the same device; default: from the clock")->group("Answer");
	app.add_option("--stop", a.stops, "a text that ends the answer; may be repeated")->group("Answer");
	app.add_flag("--ignore-eos", a.ignore_end, "go on after tokens that end a text")->group("Answer");
	app.add_flag("--show-control", a.show_control, "print control tokens")->group("Answer");
	app.add_option("-c,--ctx", a.context, "context in tokens (default: what the model was trained for, at most 4096)")->group("Memory and devices");
	app.add_option("--batch", a.batch, "tokens of a prompt that are computed at a time")->check(CLI::Range(1u, 65536u))->group("Memory and devices");
	app.add_option("--kv", a.kv, "type of the KV cache: f16 (default) q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl f32")->group("Memory and devices");
	app.add_option("--kv-k", a.kv_k, "type of K alone")->group("Memory and devices");
	app.add_option("--kv-v", a.kv_v, "type of V alone")->group("Memory and devices");
	app.add_option("--kv-mixing", a.mixing, "Hadamard transform before a quantized cache's rounding")->check(CLI::IsMember({"auto", "on", "off"}))->group("Memory and devices");
	app.add_option("--device", a.devices, "device by number, name or UUID; several, with commas, share the layers")->group("Memory and devices");
	app.add_option("--device-memory", a.device_memory, "most memory to use of each device, with commas: 6GiB,8GiB")->group("Memory and devices");
	app.add_option("--reserve", a.reserve, "memory of every device to leave alone")->group("Memory and devices");
	app.add_flag("--offload", a.offload, "keep layers that do not fit in host memory")->group("Memory and devices");
	app.add_option("--variant", a.variant, "kernel variant to force (vkinfo --devices lists them)")->group("Memory and devices");
	app.add_option("--load-cache", a.load_cache, "start from a cache that --save-cache wrote")->group("Memory and devices");
	app.add_option("--save-cache", a.save_cache, "write the cache to a file at the end")->group("Memory and devices");
	app.add_flag("--plan", a.plan_only, "print what would go where, and end")->group("Output");
	app.add_flag("--json", a.json, "one JSON object instead of text")->group("Output");
	app.add_flag("-q,--quiet", a.quiet, "only the answer: no progress, no speeds")->group("Output");
	if (const auto code = parseArguments(app, argc, argv)) return code;
	a.has_prompt = prompt->count() > 0;
	if (a.model.empty() && a.modelfile.empty()) return report("vkrun", fail(ErrorCode::kUsage, "name the model to run", "see vkrun --help"));
	return std::nullopt;
}

Result<RunSettings> settle(const RunArguments& arguments) {
	RunArguments a = arguments;
	RunSettings settings;
	settings.model = a.model;
	settings.system = a.system;
	settings.stops = a.stops;
	if (!a.modelfile.empty()) VKQ_CHECK(takeModelfile(a, settings));

	SamplerOptions& sampler = settings.sampler;
	sampler.temperature = a.temperature.value_or(sampler.temperature);
	sampler.top_k = a.top_k.value_or(sampler.top_k);
	sampler.top_p = a.top_p.value_or(sampler.top_p);
	sampler.min_p = a.min_p.value_or(sampler.min_p);
	sampler.repeat_penalty = a.repeat_penalty.value_or(sampler.repeat_penalty);
	sampler.repeat_window = a.repeat_window.value_or(sampler.repeat_window);
	sampler.seed = a.seed ? *a.seed : seedFromClock();
	VKQ_CHECK(Sampler::create(sampler));   // refuses values out of range before the model is loaded
	settings.predict = a.predict.value_or(0);

	SessionOptions& session = settings.session;
	session.context = a.context.value_or(0);
	if (a.context && *a.context == 0) return fail(ErrorCode::kUsage, "--ctx 0 leaves no room for a token");
	session.batch = a.batch;
	VKQ_TRY(const TensorType kv, cacheType("--kv", a.kv.empty() ? "f16" : a.kv));
	session.k_type = session.v_type = kv;
	if (!a.kv_k.empty()) { VKQ_TRY(session.k_type, cacheType("--kv-k", a.kv_k)); }
	if (!a.kv_v.empty()) { VKQ_TRY(session.v_type, cacheType("--kv-v", a.kv_v)); }
	session.mixing = a.mixing == "on" ? CacheMixing::On : a.mixing == "off" ? CacheMixing::Off : CacheMixing::Auto;
	session.devices = splitAtCommas(a.devices);
	for (const std::string& limit : splitAtCommas(a.device_memory)) {
		VKQ_TRY(const uint64_t bytes, parseBytes(limit, kGiB));
		session.device_limits.push_back(bytes);
	}
	if (!a.reserve.empty()) { VKQ_TRY(session.reserve, parseBytes(a.reserve, kGiB)); }
	session.offload = a.offload ? Offload::Layers : Offload::None;
	session.variant = a.variant;
	return settings;
}

}  // namespace vkq::tools
