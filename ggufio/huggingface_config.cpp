#include "ggufio/huggingface_config.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vkq {

namespace {

constexpr uint64_t kMaxLayers = 4096;
constexpr uint64_t kMaxHeads = 4096;
constexpr uint64_t kMaxWidth = uint64_t(1) << 20;
constexpr uint64_t kMaxVocab = uint64_t(1) << 24;
constexpr uint64_t kMaxContext = INT32_MAX;

struct ArchitectureRow {
	std::string_view architecture, model_type, arch;
	HuggingFaceFamily family;
};

constexpr std::array<ArchitectureRow, 10> kArchitectures{{
    {"LlamaForCausalLM", "llama", "llama", HuggingFaceFamily::Llama},
    {"MistralForCausalLM", "mistral", "llama", HuggingFaceFamily::Llama},
    {"MixtralForCausalLM", "mixtral", "llama", HuggingFaceFamily::Mixtral},
    {"Qwen2ForCausalLM", "qwen2", "qwen2", HuggingFaceFamily::Qwen2},
    {"Qwen3ForCausalLM", "qwen3", "qwen3", HuggingFaceFamily::Qwen3},
    {"Qwen3MoeForCausalLM", "qwen3_moe", "qwen3moe", HuggingFaceFamily::Qwen3Moe},
    {"Gemma2ForCausalLM", "gemma2", "gemma2", HuggingFaceFamily::Gemma2},
    {"Gemma3ForCausalLM", "gemma3_text", "gemma3", HuggingFaceFamily::Gemma3},
    {"Gemma3ForConditionalGeneration", "gemma3", "gemma3", HuggingFaceFamily::Gemma3},
    {"Phi3ForCausalLM", "phi3", "phi3", HuggingFaceFamily::Phi3},
}};

/// Reads members and remembers the first thing that is wrong, so that the caller reads as a list of fields.
class Members {
public:
	Members(const Json& json, std::string_view file) : json_(json), file_(file) {}

	std::optional<uint64_t> whole(std::string_view key, uint64_t least, uint64_t most) { return whole(json_, key, least, most); }

	std::optional<uint64_t> whole(const Json& object, std::string_view key, uint64_t least, uint64_t most) {
		const Json* value = member(object, key);
		if (!value) return std::nullopt;
		std::optional<uint64_t> number = wholeNumber(*value);
		// 4096.0 is written by some exporters.
		if (!number && value->is_number_float()) {
			const double real = value->get<double>();
			if (real >= 0 && real < 0x1p53 && real == std::floor(real)) number = uint64_t(real);
		}
		if (!number) return wrong(fmt::format("{} is {} where a whole number belongs", key, jsonKind(*value))), std::nullopt;
		if (*number < least || *number > most) {
			return wrong(fmt::format("{} is {}, outside {} to {}", key, *number, least, most), ErrorCode::kInvalidData), std::nullopt;
		}
		return number;
	}

	uint64_t required(std::string_view key, uint64_t least, uint64_t most) {
		if (!member(json_, key)) wrong(fmt::format("{} is missing", key));
		return whole(json_, key, least, most).value_or(least);
	}

	std::optional<double> number(const Json& object, std::string_view key, double least, double most) {
		const Json* value = member(object, key);
		if (!value) return std::nullopt;
		if (!value->is_number()) return wrong(fmt::format("{} is {} where a number belongs", key, jsonKind(*value))), std::nullopt;
		const double number = value->get<double>();
		if (!(number >= least && number <= most))
			return wrong(fmt::format("{} is {}, outside {} to {}", key, number, least, most), ErrorCode::kInvalidData), std::nullopt;
		return number;
	}
	std::optional<double> number(std::string_view key, double least, double most) { return number(json_, key, least, most); }

	std::vector<double> numbers(const Json& object, std::string_view key) {
		const Json* list = member(object, key);
		std::vector<double> values;
		if (!list) return values;
		if (!list->is_array() || list->size() > kMaxWidth)
			return wrong(fmt::format("{} is {} where a list of numbers belongs", key, jsonKind(*list))), values;
		for (const Json& item : *list) {
			const double value = item.is_number() ? item.get<double>() : 0.0;
			if (!(value > 0.0 && value <= 1e9)) return wrong(fmt::format("{} holds something else than positive numbers", key)), values;
			values.push_back(value);
		}
		return values;
	}

	void wrong(std::string reason, ErrorCode code = ErrorCode::kMalformed, std::string hint = {}) {
		if (!error_) error_ = fail(code, fmt::format("{}: {}", file_, reason), std::move(hint));
	}
	const std::optional<Error>& error() const { return error_; }

private:
	const Json& json_;
	std::string_view file_;
	std::optional<Error> error_;
};

Result<const ArchitectureRow*> findArchitecture(const Json& json, std::string_view file, std::string& named) {
	const Json* list = member(json, "architectures");
	if (list && list->is_array() && !list->empty() && list->front().is_string()) named = list->front().get<std::string>();
	for (const ArchitectureRow& row : kArchitectures)
		if (!named.empty() && (named == row.architecture || (named == "LLaMAForCausalLM" && row.model_type == "llama"))) return &row;
	if (named.empty()) {
		const std::string type = stringMember(json, "model_type").value_or("");
		for (const ArchitectureRow& row : kArchitectures) {
			if (type != row.model_type) continue;
			named = row.architecture;
			return &row;
		}
		if (type.empty()) return fail(ErrorCode::kMalformed, fmt::format("{}: names no architecture: neither architectures nor model_type is there", file));
		named = type;
	}
	return fail(ErrorCode::kUnsupported, fmt::format("{}: architecture {} is not supported", file, quote(named)),
	            "supported: " + supportedHuggingFaceArchitectures());
}

/// A multimodal config keeps the language model's members in text_config.
Json withTextConfig(Json json) {
	if (const Json* text = member(json, "text_config"); text && text->is_object()) {
		Json inner = *text;
		inner.erase("architectures");
		inner.erase("model_type");
		json.erase("text_config");
		json.update(inner);
	}
	return json;
}

void readRope(Members& members, HuggingFaceConfig& config, std::vector<std::string>& warnings) {
	const Json& json = config.json;
	HuggingFaceRope& rope = config.rope;
	const Json* parameters = member(json, "rope_parameters");
	if (!parameters) parameters = member(json, "rope_scaling");
	static const Json kNone = Json::object();
	if (!parameters) parameters = &kNone;
	if (!parameters->is_object()) return members.wrong(fmt::format("rope parameters are {} where an object belongs", jsonKind(*parameters)));
	const Json* local = member(*parameters, "sliding_attention");
	if (const Json* full = member(*parameters, "full_attention")) parameters = full;

	const std::string type = stringMember(*parameters, "rope_type").value_or(stringMember(*parameters, "type").value_or("default"));
	rope.type = type == "su" ? "longrope" : type;
	rope.theta = members.number(*parameters, "rope_theta", 1.0, 1e12);
	if (!rope.theta) rope.theta = members.number("rope_theta", 1.0, 1e12);
	if (local) rope.theta_local = members.number(*local, "rope_theta", 1.0, 1e12);
	if (!rope.theta_local) rope.theta_local = members.number("rope_local_base_freq", 1.0, 1e12);

	rope.factor = members.number(*parameters, "factor", 1e-3, 1e6);
	rope.original_context = members.whole(*parameters, "original_max_position_embeddings", 1, kMaxContext);
	if (!rope.original_context) rope.original_context = members.whole("original_max_position_embeddings", 1, kMaxContext);
	rope.low_frequency_factor = members.number(*parameters, "low_freq_factor", 1e-3, 1e6).value_or(rope.low_frequency_factor);
	rope.high_frequency_factor = members.number(*parameters, "high_freq_factor", 1e-3, 1e6).value_or(rope.high_frequency_factor);
	rope.attention_factor = members.number(*parameters, "attention_factor", 0.0, 1e3);
	if (!rope.attention_factor) rope.attention_factor = members.number(*parameters, "attn_factor", 0.0, 1e3);
	rope.extrapolation_factor = members.number(*parameters, "extrapolation_factor", 0.0, 1e3);
	rope.beta_fast = members.number(*parameters, "beta_fast", 0.0, 1e6);
	rope.beta_slow = members.number(*parameters, "beta_slow", 0.0, 1e6);
	rope.long_factors = members.numbers(*parameters, "long_factor");
	rope.short_factors = members.numbers(*parameters, "short_factor");
	std::optional<double> partial = members.number(*parameters, "partial_rotary_factor", 0.0, 1.0);
	if (!partial) partial = members.number("partial_rotary_factor", 0.0, 1.0);
	rope.partial_rotary_factor = partial.value_or(1.0);

	if ((rope.type == "linear" || rope.type == "yarn") && !rope.factor) members.wrong(fmt::format("RoPE scaling '{}' has no factor", rope.type));
	if (rope.type == "llama3") {
		if (config.arch != "llama") members.wrong("RoPE scaling 'llama3' is supported in llama models only", ErrorCode::kUnsupported);
		if (!rope.factor) rope.factor = 8.0;
		if (!rope.original_context) rope.original_context = 8192;
		if (rope.high_frequency_factor <= rope.low_frequency_factor)
			members.wrong(fmt::format("high_freq_factor {} is not above low_freq_factor {}", rope.high_frequency_factor, rope.low_frequency_factor),
			              ErrorCode::kInvalidData);
	} else if (rope.type == "dynamic") {
		warnings.push_back("RoPE scaling 'dynamic' has no place in GGUF and is left out: contexts beyond the trained one will suffer");
	} else if (rope.type != "default" && rope.type != "linear" && rope.type != "yarn" && rope.type != "longrope") {
		members.wrong(fmt::format("RoPE scaling {} is not supported", quote(rope.type)), ErrorCode::kUnsupported);
	}
}

void readPhi3Rope(Members& members, HuggingFaceConfig& config) {
	HuggingFaceRope& rope = config.rope;
	if (!rope.original_context) rope.original_context = 4096;   // the family's default
	if (rope.long_factors.empty() && rope.short_factors.empty()) return;
	const uint64_t pairs = config.ropeDims() / 2;
	if (rope.long_factors.size() != pairs || rope.short_factors.size() != pairs) {
		members.wrong(fmt::format("long_factor and short_factor have {} and {} values, both should have {}", rope.long_factors.size(),
		                          rope.short_factors.size(), pairs));
	}
}

/// Which layers slide, as a period; the newer form lists a type for each.
void readSlidingWindow(Members& members, HuggingFaceConfig& config) {
	config.sliding_window = members.whole("sliding_window", 0, kMaxContext);
	if (!config.gemma()) return;
	const uint64_t family_pattern = config.family == HuggingFaceFamily::Gemma2 ? 2 : 6;
	std::optional<uint64_t> pattern = members.whole("sliding_window_pattern", 1, kMaxLayers);
	if (!pattern) pattern = members.whole("_sliding_window_pattern", 1, kMaxLayers);
	const Json* types = member(config.json, "layer_types");
	if (types && types->is_array() && types->size() == config.n_layer) {
		const auto slides = [&](uint64_t layer) { return (*types)[layer] == "sliding_attention"; };
		uint64_t first_full = 0;
		while (first_full < config.n_layer && slides(first_full)) ++first_full;
		// No full layer among few: any longer period says the same.
		if (first_full < config.n_layer || !pattern) pattern = first_full < config.n_layer ? first_full + 1 : std::max(family_pattern, first_full + 1);
		for (uint64_t layer = 0; layer < config.n_layer; ++layer) {
			if (slides(layer) == (layer % *pattern < *pattern - 1)) continue;
			return members.wrong("the sliding-window layers do not repeat with a period, which is not supported", ErrorCode::kUnsupported);
		}
	}
	if (pattern && *pattern != family_pattern) config.sliding_pattern = pattern;
	if (!config.sliding_window) {
		if (config.family == HuggingFaceFamily::Gemma2) config.sliding_window = 4096;
		else if (pattern.value_or(family_pattern) != 1) members.wrong("sliding_window is missing");
	}
}

void readQuantization(Members& members, HuggingFaceConfig& config) {
	const Json* quantization = member(config.json, "quantization_config");
	if (!quantization) return;
	const std::string method = stringMember(*quantization, "quant_method").value_or("");
	const bool known = method == "fp8" || method == "fbgemm_fp8" || method == "compressed-tensors" || method == "modelopt";
	const std::string format = stringMember(*quantization, "format").value_or("float-quantized");
	if (!known || format != "float-quantized") {
		return members.wrong(fmt::format("the weights are quantized with {}, which is not supported", quote(known ? format : method)),
		                     ErrorCode::kUnsupported, "give the original model: F32, F16, BF16, or FP8 with scales");
	}
	config.fp8 = true;
	if (const Json* block = member(*quantization, "weight_block_size"); block && block->is_array() && block->size() == 2) {
		for (size_t i = 0; i < 2; ++i) {
			config.fp8_block[i] = wholeNumber((*block)[i]).value_or(0);
			if (config.fp8_block[i] == 0 || config.fp8_block[i] > kMaxWidth) return members.wrong("weight_block_size is not two positive numbers");
		}
	}
}

void readExperts(Members& members, HuggingFaceConfig& config) {
	if (config.family != HuggingFaceFamily::Mixtral && config.family != HuggingFaceFamily::Qwen3Moe) return;
	const bool local = member(config.json, "num_local_experts") != nullptr;
	config.n_expert = members.required(local ? "num_local_experts" : "num_experts", 1, kMaxHeads);
	config.n_expert_used = members.required("num_experts_per_tok", 1, kMaxHeads);
	if (config.n_expert_used > config.n_expert)
		members.wrong(fmt::format("{} experts a token of {} are too many", config.n_expert_used, config.n_expert), ErrorCode::kInvalidData);
	if (config.family == HuggingFaceFamily::Mixtral) return;
	config.n_ff_expert = members.required("moe_intermediate_size", 1, kMaxWidth);
	config.norm_expert_weights = boolMember(config.json, "norm_topk_prob").value_or(true);
	const Json* dense = member(config.json, "mlp_only_layers");
	if ((dense && dense->is_array() && !dense->empty()) || members.whole("decoder_sparse_step", 0, kMaxLayers).value_or(1) != 1)
		members.wrong("layers without experts among layers with them are not supported", ErrorCode::kUnsupported);
}

}  // namespace

uint64_t HuggingFaceConfig::ropeDims() const {
	if (family != HuggingFaceFamily::Phi3) return headDim();
	return uint64_t(rope.partial_rotary_factor * double(n_embd)) / n_head;
}

std::string supportedHuggingFaceArchitectures() {
	std::string names;
	for (const ArchitectureRow& row : kArchitectures) names += fmt::format("{}{}", names.empty() ? "" : ", ", row.architecture);
	return names;
}

Result<HuggingFaceConfig> readHuggingFaceConfig(Json json, std::string_view file, std::vector<std::string>& warnings) {
	if (!json.is_object()) return fail(ErrorCode::kMalformed, fmt::format("{}: is {} where an object belongs", file, jsonKind(json)));
	HuggingFaceConfig config;
	VKQ_TRY(const ArchitectureRow* row, findArchitecture(json, file, config.architecture));
	config.family = row->family;
	config.arch = row->arch;
	config.json = withTextConfig(std::move(json));
	const bool gemma3 = config.family == HuggingFaceFamily::Gemma3;

	// Gemma 3's multimodal configs leave out what equals the family's defaults.
	Members members(config.json, file);
	config.n_layer = members.required("num_hidden_layers", 1, kMaxLayers);
	config.n_embd = members.required("hidden_size", 1, kMaxWidth);
	config.n_ff = members.required("intermediate_size", 1, kMaxWidth);
	const auto number = [&](std::string_view key, uint64_t most, uint64_t gemma3_default) {
		return gemma3 ? members.whole(key, 1, most).value_or(gemma3_default) : members.required(key, 1, most);
	};
	config.n_head = number("num_attention_heads", kMaxHeads, 8);
	config.n_head_kv = members.whole("num_key_value_heads", 1, kMaxHeads).value_or(gemma3 ? 4 : config.n_head);
	config.n_vocab = number("vocab_size", kMaxVocab, 262208);
	config.n_ctx = number("max_position_embeddings", kMaxContext, 131072);
	config.head_dim = members.whole("head_dim", 2, kMaxHeads);
	if (config.gemma() && !config.head_dim) config.head_dim = 256;
	config.norm_eps = members.number("rms_norm_eps", 0.0, 1.0).value_or(config.norm_eps);
	config.attention_softcap = members.number("attn_logit_softcapping", 0.0, 1e6);
	config.logit_softcap = members.number("final_logit_softcapping", 0.0, 1e6);
	config.tied_embeddings = boolMember(config.json, "tie_word_embeddings");
	if (members.error()) return *members.error();

	if (!config.head_dim && config.n_embd % config.n_head)
		members.wrong(fmt::format("hidden_size {} cannot be divided into {} heads", config.n_embd, config.n_head), ErrorCode::kInvalidData);
	if (config.headDim() % 2) members.wrong(fmt::format("a head of {} elements is odd, RoPE needs pairs", config.headDim()), ErrorCode::kUnsupported);
	if (config.n_head % config.n_head_kv)
		members.wrong(fmt::format("{} attention heads cannot share {} key/value heads", config.n_head, config.n_head_kv), ErrorCode::kInvalidData);

	readRope(members, config, warnings);
	if (config.family == HuggingFaceFamily::Phi3) readPhi3Rope(members, config);
	else if (config.rope.type == "longrope") members.wrong("RoPE scaling 'longrope' is supported in phi3 models only", ErrorCode::kUnsupported);
	readSlidingWindow(members, config);
	readExperts(members, config);
	readQuantization(members, config);
	if (members.error()) return *members.error();
	return config;
}

}  // namespace vkq
