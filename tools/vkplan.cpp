// vkplan: which file type, cache and context fit, and where every byte would lie.

#include "planner/advise.h"
#include "planner/gpus.h"
#include "planner/report.h"
#include "tools/common.h"
#include "tools/table.h"
#include "tools/vkplan_devices.h"
#include "tools/vkplan_llama_cpp.h"
#include "tools/vkplan_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>

using namespace vkq;
using namespace vkq::tools;

namespace {

constexpr uint32_t kDefaultContext = 4096;
constexpr std::string_view kDefaultTypes = "F16,Q8_0,Q6_K,Q5_K_M,Q5_K_S,Q4_K_M,Q4_K_S,IQ4_XS,Q4_0,Q3_K_L,Q3_K_M,Q3_K_S,Q2_K";

struct Arguments {
	ModelArguments model;
	DeviceArguments device;
	std::string context, kv, k_type, v_type, types{kDefaultTypes}, goal = "quality", overhead, runtime, tensor_split;
	std::vector<std::string> measured;
	uint32_t batch = 512;
	bool offload = false, explain = false, json = false, list_gpus = false;
};

std::optional<int> parse(Arguments& a, int argc, char** argv) {
	CLI::App app("", "vkplan");
	describe(app, "Says which file type of a model fits, with what context, and where its bytes would lie.",
	         {"vkplan --vram 8 --params 7", "vkplan --gpu 'RTX 4060' --params 8 --ctx 32768 --kv q8_0", "vkplan --vram 24,12 --params 70",
	          "vkplan --vram 8 --params 7 --overhead 20%", "vkplan model.gguf", "vkplan --vram 12 model-f16.gguf --explain", "vkplan --vram 2 --shape layers=16,embd=2048,ff=8192,heads=32,kv=8,vocab=128256,ctx=8192"});
	app.add_option("MODEL", a.model.path, "a GGUF file (any one of a split), a Hugging Face folder or its config.json");
	app.add_option("--params", a.model.params, "plan for a size instead: billions of parameters (7, 0.5), or 8x7, 30A3 for mixtures of experts")->type_name("SIZE");
	app.add_option("--shape", a.model.shape, "override parts of the shape: arch, layers, embd, ff, heads, kv, head_dim, vocab, ctx, tied, experts, used, ff_expert, window")->type_name("NAME=N,..");
	app.add_option("--vram", a.device.vram, "device memory; a bare number is GiB; several devices: 24,12")->type_name("SIZE[,SIZE]");
	app.add_option("--gpu", a.device.gpu, "a known card, by name; several: 'RTX 4090,RTX 3060'")->type_name("NAME[,NAME]");
	app.add_flag("--list-gpus", a.list_gpus, "the cards that --gpu knows");
	app.add_option("--device", a.device.device, "this machine's device: index, part of the name or UUID; several: 0,1 (default: all discrete ones, else the best)")->type_name("DEVICE[,DEVICE]");
	app.add_option("--reserve", a.device.reserve, "memory of each device to leave alone (default: 1/16 of it, at most 512 MiB; 0 of this machine's own, whose budget is live)")->type_name("SIZE");
	app.add_option("--ctx", a.context, "context in tokens (default: 4096, or what the model was trained for if that is less)")->type_name("TOKENS");
	app.add_option("--kv", a.kv, "type of the key/value cache: f16 (default), q8_0, q4_0, f32, ...")->type_name("TYPE");
	app.add_option("--k-type", a.k_type, "type of the key cache alone")->type_name("TYPE");
	app.add_option("--v-type", a.v_type, "type of the value cache alone")->type_name("TYPE");
	app.add_option("--batch", a.batch, "most tokens of one step")->type_name("TOKENS")->check(CLI::Range(1u, 65536u))->capture_default_str();
	app.add_option("--types", a.types, "file types to consider")->type_name("TYPE,..")->capture_default_str();
	app.add_option("--goal", a.goal, "quality: best type that fits; context: longest context; speed: most tokens/s")
		->check(CLI::IsMember({"quality", "context", "speed"}))->capture_default_str();
	app.add_option("--measured", a.measured, "quality measured on this model, in place of the published: TYPE=FILE, FILE from vkeval kld --json")->type_name("TYPE=FILE");
	app.add_flag("--offload", a.offload, "layers that do not fit may stay in host memory, read over the bus");
	app.add_option("--host", a.device.host, "host memory that may be used (default: what is free on this machine; no limit with --vram or --gpu)")->type_name("SIZE");
	app.add_option("--runtime", a.runtime, "whose memory to predict")->check(CLI::IsMember({"vkrun", "llama.cpp"}))->default_str("vkrun");
	app.add_option("--tensor-split", a.tensor_split, "with --runtime llama.cpp: how it splits layers over devices (default: by their memory)")->type_name("P,P");
	app.add_option("--overhead", a.overhead, "rule of thumb instead: parameters x bytes a weight, plus this share")->type_name("P%");
	app.add_flag("--explain", a.explain, "show the arithmetic of the recommended type");
	app.add_flag("--json", a.json, "JSON, as docs/vkplan.md describes it");
	return parseArguments(app, argc, argv);
}

Result<double> parsePercent(const std::string& text) {
	std::string_view digits = text;
	if (digits.ends_with('%')) digits.remove_suffix(1);
	double percent = 0;
	const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), percent, std::chars_format::fixed);
	if (error != std::errc{} || end != digits.data() + digits.size() || !(percent >= 0 && percent <= 1000)) {
		return fail(ErrorCode::kUsage, fmt::format("--overhead: '{}' is no share", text), "for example --overhead 20%");
	}
	return percent / 100.0;
}

Result<uint32_t> parseContext(const std::string& text, const PlannedModel& model, bool from_file) {
	const uint32_t trained = model.hyperparameters.n_ctx_train;
	if (text.empty()) return std::min(kDefaultContext, trained);
	std::string_view digits = text;
	uint64_t unit = 1;
	if (digits.ends_with('k') || digits.ends_with('K')) digits.remove_suffix(1), unit = 1024;
	uint64_t tokens = 0;
	const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), tokens);
	if (error != std::errc{} || end != digits.data() + digits.size() || tokens == 0 || tokens > UINT32_MAX / unit) {
		return fail(ErrorCode::kUsage, fmt::format("--ctx: '{}' is no number of tokens", text), "for example --ctx 8192, or --ctx 128k");
	}
	tokens *= unit;
	if (tokens > trained) {
		return fail(ErrorCode::kUsage, fmt::format("{} tokens are beyond the {} that {} was trained for", formatExact(tokens), formatExact(trained), model.name),
		            from_file ? fmt::format("use --ctx {} or less", trained)
		                      : fmt::format("use --ctx {} or less; for a variant with a longer context say so: --shape ctx={}", trained, tokens));
	}
	return uint32_t(tokens);
}

Result<TensorType> parseCacheType(const std::string& text, TensorType fallback) {
	if (text.empty()) return fallback;
	const auto type = typeFromName(text);
	if (!type) return fail(ErrorCode::kUsage, fmt::format("'{}' is no type", text), "cache types: f16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl f32");
	return *type;
}

/// The types that begin like `name`, or all.
std::string similarTypes(std::string name) {
	for (char& letter : name) letter = char(std::toupper(static_cast<unsigned char>(letter)));
	std::string similar, all;
	for (const FileTypeInfo& info : allFileTypes()) {
		all += fmt::format(" {}", info.name);
		if (!name.empty() && info.name.starts_with(name)) similar += fmt::format(" {}", info.name);
	}
	return similar.empty() ? "file types:" + all : "there are:" + similar;
}

Result<std::vector<FileTypeInfo>> parseTypes(const std::string& list) {
	std::vector<FileTypeInfo> types;
	for (size_t at = 0; at <= list.size();) {
		const size_t comma = std::min(list.find(',', at), list.size());
		const std::string name = list.substr(at, comma - at);
		at = comma + 1;
		const FileTypeInfo* type = findFileType(name);
		if (!type) return fail(ErrorCode::kUsage, fmt::format("'{}' is no file type", name), similarTypes(name));
		const bool twice = std::any_of(types.begin(), types.end(), [&](const FileTypeInfo& other) { return other.name == type->name; });
		if (!twice) types.push_back(*type);
	}
	return types;
}

int thumb(const Arguments& a, const PlannedModel& model, const Target& target) {
	const auto overhead = parsePercent(a.overhead);
	if (!overhead) return report("vkplan", overhead.error());
	uint64_t available = 0;
	for (const DeviceSpec& device : target.devices) available += device.available;
	// The size as the user put it ("7"), not what a model of that size has exactly (7.25): it is a rule of thumb.
	double billions = double(model.parameters) * 1e-9;
	const char* begin = a.model.params.data();
	double asked = 0;
	if (a.model.shape.empty() && std::from_chars(begin, begin + a.model.params.size(), asked).ptr == begin + a.model.params.size() && asked > 0) billions = asked;

	const ThumbAnswer answer = ruleOfThumb(billions, *overhead, available);
	if (a.json) {
		Json json{{"rule_of_thumb", true}, {"billions", billions}, {"overhead", *overhead}, {"available_bytes", available}};
		json.update(thumbJson(answer));
		printJson(json);
	} else {
		fmt::print("Rule of thumb: {:.4g} billion parameters x bytes a weight x {:.4g}, against {}\n", billions, 1 + *overhead, formatBytes(available));
		fmt::print("(shape, context and cache are not looked at; without --overhead they are)\n\n{}\n{}", thumbTable(answer), recommendationLine(answer));
	}
	return answer.recommended ? kDone : kPlanDoesNotFit;
}

Result<std::map<std::string, MeasuredQuality>> readMeasured(const std::vector<std::string>& arguments) {
	std::map<std::string, MeasuredQuality> measured;
	for (const std::string& argument : arguments) {
		const size_t equals = argument.find('=');
		const FileTypeInfo* type = findFileType(argument.substr(0, equals));
		if (equals == std::string::npos || !type) {
			return fail(ErrorCode::kUsage, fmt::format("--measured: '{}' is not of the form TYPE=FILE", argument), "for example --measured Q4_K_M=kld.json");
		}
		const std::string path = argument.substr(equals + 1);
		std::ifstream file(path);
		if (!file) return fail(ErrorCode::kNotFound, fmt::format("{} cannot be read", path));
		const Json json = Json::parse(file, nullptr, false);
		const bool complete = json.is_object() && json.contains("perplexity_ratio") && json["perplexity_ratio"].is_number() && json.contains("mean_kld") && json["mean_kld"].is_number();
		if (!complete) return fail(ErrorCode::kMalformed, fmt::format("{} is no result of vkeval kld --json", path));
		measured[std::string(type->name)] = {json["perplexity_ratio"].get<double>(), json["mean_kld"].get<double>()};
	}
	return measured;
}

Result<AdviceRequest> makeRequest(const Arguments& a, const PlannedModel& model, const Target& target) {
	AdviceRequest request;
	const auto context = parseContext(a.context, model, !a.model.path.empty());
	if (!context) return context.error();
	const auto kv = parseCacheType(a.kv, TensorType::F16);
	if (!kv) return kv.error();
	const auto k_type = parseCacheType(a.k_type, *kv), v_type = parseCacheType(a.v_type, *kv);
	if (!k_type) return k_type.error();
	if (!v_type) return v_type.error();
	auto types = parseTypes(a.types);
	if (!types) return types.error();

	request.base.model = model.hyperparameters;
	request.base.context = *context;
	request.base.batch = std::min(a.batch, *context);
	request.base.k_type = *k_type;
	request.base.v_type = *v_type;
	request.base.devices = target.devices;
	request.base.reserve = target.reserve;
	request.base.host_available = target.host_available;
	request.base.offload = a.offload ? Offload::Layers : Offload::None;
	request.source = model.tensors;
	request.types = std::move(*types);
	request.as_is = model.quantized_as;
	auto measured = readMeasured(a.measured);
	if (!measured) return measured.error();
	request.measured = std::move(*measured);
	request.goal = a.goal == "context" ? Goal::Context : a.goal == "speed" ? Goal::Speed : Goal::Quality;
	if (request.goal != Goal::Quality && a.kv.empty() && a.k_type.empty() && a.v_type.empty() && model.hyperparameters.head_dim % 32 == 0) {
		request.cache_types = {TensorType::F16, TensorType::Q8_0, TensorType::Q4_0};
	}
	return request;
}

std::string heading(const PlannedModel& model, const AdviceRequest& request) {
	const Hyperparameters& h = model.hyperparameters;
	std::string text = fmt::format("{}: {} parameters, {}, {} layers, embedding {}, {} query and {} key/value heads of {}", model.name,
	                               formatCount(model.parameters), archName(h.arch), h.n_layer, h.n_embd, h.n_head, h.n_head_kv, h.head_dim);
	if (h.n_expert) text += fmt::format(", {} of {} experts", h.n_expert_used, h.n_expert);
	text += fmt::format("\ncontext {} tokens, steps of {}; ", formatExact(request.base.context), formatExact(request.base.batch));
	for (const DeviceSpec& device : request.base.devices) text += fmt::format("{} {}, ", device.name, formatBytes(device.available));
	return text + (request.base.reserve ? fmt::format("{} of each reserved\n\n", formatBytes(request.base.reserve)) : std::string("nothing reserved\n\n"));
}

int advice(const Arguments& a, const PlannedModel& model, const Target& target) {
	const auto request = makeRequest(a, model, target);
	if (!request) return report("vkplan", request.error());
	if (!a.tensor_split.empty() && a.runtime != "llama.cpp") return report("vkplan", fail(ErrorCode::kUsage, "--tensor-split belongs to --runtime llama.cpp"));
	if (a.runtime == "llama.cpp") {
		const auto code = planForLlamaCpp(*request, model.name, a.tensor_split, a.json);
		return code ? *code : report("vkplan", code.error());
	}
	const auto answer = advise(*request);
	if (!answer) return report("vkplan", answer.error());

	const Candidate& shown = answer->candidates[answer->recommended.value_or(answer->smallest)];
	if (a.json) {
		Json json{{"model", {{"name", model.name}, {"architecture", archName(model.hyperparameters.arch)}, {"parameters", model.parameters}}}};
		json["context"] = request->base.context;
		json["batch"] = request->base.batch;
		json["reserve_bytes"] = request->base.reserve;
		json.update(adviceJson(*answer));
		printJson(json);
	} else {
		fmt::print("{}{}\n", heading(model, *request), adviceTable(*answer));
		if (a.explain) fmt::print("{}\n", explain(shown));
		const std::string alternatives = alternativesText(shown);
		fmt::print("{}\n{}{}{}\n{}", heapBars(shown.request, shown.plan), alternatives, alternatives.empty() ? "" : "\n", answer->why, recommendationLine(*answer));
	}
	return answer->recommended ? kDone : kPlanDoesNotFit;
}

int listGpus() {
	Table table({{"card"}, {"memory", Align::Right}, {"bandwidth", Align::Right}});
	for (const KnownGpu& gpu : knownGpus()) {
		table.add({std::string(gpu.name), gpu.memory_gib > 0 ? fmt::format("{:g} GiB", gpu.memory_gib) : "shared", fmt::format("{:.0f} GB/s", gpu.bandwidth_gb)});
	}
	fmt::print("{}\nshared: with the host, so say how much with --vram\n", table.text());
	return kDone;
}

int vkplan(int argc, char** argv) {
	Arguments a;
	if (const auto code = parse(a, argc, argv)) return *code;
	if (a.list_gpus) return listGpus();
	const auto model = findModel(a.model);
	if (!model) return report("vkplan", model.error());
	const auto target = findTarget(a.device);
	if (!target) return report("vkplan", target.error());
	return a.overhead.empty() ? advice(a, *model, *target) : thumb(a, *model, *target);
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkplan", [&] { return vkplan(argc, argv); });
}
