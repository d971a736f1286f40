#include "quant/mixture.h"

#include "quant/name_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vkq {

namespace {

using F = FileType;
using T = TensorType;

constexpr std::string_view kOutputName = "output.weight";
constexpr std::string_view kEmbeddingName = "token_embd.weight";
constexpr std::string_view kPerLayerEmbeddingName = "per_layer_token_embd.weight";

// --- which tensors -------------------------------------------------------------------------------------------------

/// Parts of names that are never quantized.
constexpr std::string_view kKeptNames[] = {
	"_norm.weight",
	"ffn_gate_inp.weight", "ffn_gate_tid2eid.weight",                    // routers
	"altup", "laurel", "per_layer_model_proj",                           // small matrices beside the main path
	"ssm_conv1d", "shortconv.conv.weight",
	"indexer.k_proj.weight", "indexer.q_proj.weight",
	"time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
	"time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
	"time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight",
	"attn_rel_b.weight",
	".position_embd", "sam.pos_embd", "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
};
constexpr std::string_view kKeptExactly[] = {"position_embd.weight", "token_types.weight"};

enum class Role { kOutput, kEmbedding, kAttentionValue, kAttentionKey, kAttentionOutput, kFeedForwardDown, kOther };

struct RoleName {
	std::string_view part;
	Role role;
};
/// The first that is found in a name. A fused projection or a compressed cache counts as attention value.
constexpr RoleName kRoleNames[] = {
	{"attn_qkv.weight", Role::kAttentionValue}, {"attn_kv_b.weight", Role::kAttentionValue},      {"attn_v.weight", Role::kAttentionValue},
	{"attn_k.weight", Role::kAttentionKey},     {"attn_output.weight", Role::kAttentionOutput},   {"ffn_down", Role::kFeedForwardDown},
};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

Role roleOf(std::string_view name) {
	if (name == kOutputName) return Role::kOutput;
	if (name == kEmbeddingName || name == kPerLayerEmbeddingName) return Role::kEmbedding;
	for (const RoleName& entry : kRoleNames)
		if (contains(name, entry.part)) return entry.role;
	return Role::kOther;
}

// --- rules ---------------------------------------------------------------------------------------------------------

/// When a rule holds, for layer i of n.
enum class When {
	kNever,
	kAlways,
	kFirstTwo,                 // i < 2
	kFirstFour,                // i < 4
	kFirstSixteenth,           // i < n / 16
	kFirstEighth,              // i < n / 8
	kMoreBits,                 // first and last eighth, and every third between
	kSharedKeys,               // at least four heads a key-value head
	kWithImatrix,              // first eighth, with an importance matrix
	kWithoutImatrix,           // first eighth, without one
};

struct Rule {
	When when = When::kNever;
	T type = T::F32;
};
using Rules = std::array<Rule, 2>;   // the first that holds; none: the base type

/// What a file type does beyond giving every tensor its base type.
struct Mixture {
	F file_type;
	Rules attention_value;
	Rules feed_forward_down;
	Rules attention_output;
	bool protects_output_of_8_experts;   // attention output in Q5_K for models of exactly eight experts
};

constexpr Mixture kMixtures[] = {
	{F::Q2_K, {{{When::kSharedKeys, T::Q4_K}, {When::kAlways, T::Q3_K}}}, {{{When::kAlways, T::Q3_K}}}, {{{When::kAlways, T::Q3_K}}}, true},
	{F::Q2_K_S, {{{When::kSharedKeys, T::Q4_K}}}, {{{When::kFirstEighth, T::Q4_K}}}, {}, false},
	{F::Q3_K_S, {}, {}, {}, true},
	{F::Q3_K_M, {{{When::kFirstTwo, T::Q5_K}, {When::kAlways, T::Q4_K}}}, {{{When::kFirstSixteenth, T::Q5_K}, {When::kAlways, T::Q4_K}}},
	            {{{When::kAlways, T::Q4_K}}}, true},
	{F::Q3_K_L, {{{When::kAlways, T::Q5_K}}}, {{{When::kAlways, T::Q5_K}}}, {{{When::kAlways, T::Q5_K}}}, false},
	{F::Q4_0, {}, {{{When::kWithImatrix, T::Q4_1}}}, {}, false},
	{F::Q5_0, {}, {{{When::kWithImatrix, T::Q5_1}}}, {}, false},
	{F::Q4_K_S, {{{When::kFirstFour, T::Q5_K}}}, {{{When::kFirstEighth, T::Q5_K}}}, {}, true},
	{F::Q4_K_M, {{{When::kMoreBits, T::Q6_K}}}, {{{When::kMoreBits, T::Q6_K}}}, {}, true},
	{F::Q5_K_M, {{{When::kMoreBits, T::Q6_K}}}, {{{When::kMoreBits, T::Q6_K}}}, {}, false},
	{F::IQ4_NL, {{{When::kSharedKeys, T::Q5_K}}}, {{{When::kWithoutImatrix, T::Q5_K}}}, {}, true},
	{F::IQ4_XS, {{{When::kSharedKeys, T::Q5_K}}}, {{{When::kWithoutImatrix, T::Q5_K}}}, {}, true},
};
constexpr Mixture kNoMixture{F::F32, {}, {}, {}, false};

const Mixture& mixtureOf(F type) {
	for (const Mixture& mixture : kMixtures)
		if (mixture.file_type == type) return mixture;
	return kNoMixture;
}

/// Models of the 70B class, whose eight heads share an attention value: its matrix is small and worth more bits.
struct LargeModel {
	std::string_view arch;
	uint32_t layers;
	bool needs_shared_keys;
};
constexpr LargeModel kLargeModels[] = {{"llama", 80, true}, {"qwen2", 80, false}, {"deci", 80, false}, {"olmo", 80, false}, {"jais2", 68, false}};

constexpr uint32_t kMixtralExperts = 8;

/// Rows that are no whole number of blocks take a type of 32-weight blocks instead.
struct Fallback {
	T from, to;
};
constexpr Fallback kFallbacks[] = {
	{T::Q2_K, T::Q4_0},      {T::Q3_K, T::Q4_0},     {T::Q4_K, T::Q5_0},    {T::Q5_K, T::Q5_1},    {T::Q6_K, T::Q8_0},
	{T::TQ1_0, T::Q4_0},     {T::TQ2_0, T::Q4_0},    {T::Q2_0, T::Q4_0},    {T::IQ1_S, T::IQ4_NL}, {T::IQ1_M, T::IQ4_NL}, {T::IQ2_XXS, T::IQ4_NL},
	{T::IQ2_XS, T::IQ4_NL},  {T::IQ2_S, T::IQ4_NL},  {T::IQ3_XXS, T::IQ4_NL}, {T::IQ3_S, T::IQ4_NL}, {T::IQ4_XS, T::IQ4_NL},
};

bool divides(T type, uint64_t row_elements) { return row_elements % typeInfo(type).block_elements == 0; }

MixtureChoice withFallback(T type, uint64_t row_elements) {
	if (divides(type, row_elements)) return {type, false};
	for (const Fallback& fallback : kFallbacks)
		if (fallback.from == type && divides(fallback.to, row_elements)) return {fallback.to, true};
	return {T::F16, true};
}

/// The number in "blk.NUMBER."
std::optional<uint32_t> layerOf(std::string_view name) {
	constexpr std::string_view kPrefix = "blk.";
	if (!name.starts_with(kPrefix)) return std::nullopt;
	uint32_t layer;
	const char* last = name.data() + name.size();
	const auto [end, error] = std::from_chars(name.data() + kPrefix.size(), last, layer);
	if (error != std::errc() || end == last || *end != '.') return std::nullopt;
	return layer;
}

/// One pass over a model's tensors, counting layers as the rules need them.
class Chooser {
public:
	Chooser(const MixtureModel& model, std::span<const MixtureTensor> tensors, const MixtureOptions& options)
		: model_(model), options_(options), mixture_(mixtureOf(options.target.file_type)) {
		for (const MixtureTensor& tensor : tensors) {
			tied_ &= tensor.name != kOutputName;
			value_count_ += roleOf(tensor.name) == Role::kAttentionValue;
		}
	}

	Result<T> byRules(const MixtureTensor& tensor) {
		const Role role = roleOf(tensor.name);
		if (role == Role::kOutput || (tied_ && tensor.name == kEmbeddingName)) return outputType(tensor);
		if (options_.target.file_type == F::MXFP4_MOE) return tensor.ne[2] > 1 ? T::MXFP4 : T::Q8_0;
		switch (role) {
		case Role::kAttentionValue: return attentionValueType();
		case Role::kAttentionKey: return model_.experts == kMixtralExperts ? T::Q8_0 : base();
		case Role::kAttentionOutput: return attentionOutputType();
		case Role::kFeedForwardDown: return feedForwardDownType(tensor);
		default: return base();
		}
	}

private:
	T base() const { return options_.target.base; }

	T outputType(const MixtureTensor& tensor) const {
		if (options_.output_type) return *options_.output_type;   // a tied embedding: for the output itself that was decided before
		if (options_.target.file_type == F::MXFP4_MOE || base() == T::Q8_0 || !divides(base(), tensor.ne[0])) return T::Q8_0;
		return T::Q6_K;
	}

	T attentionValueType() {
		T type = apply(mixture_.attention_value, values_seen_++, value_count_);
		if (isLargeModel() && (type == T::Q3_K || type == T::Q4_K)) type = T::Q5_K;
		return model_.experts == kMixtralExperts ? T::Q8_0 : type;
	}

	T attentionOutputType() const {
		if (model_.experts == kMixtralExperts) return mixture_.protects_output_of_8_experts ? T::Q5_K : base();
		return apply(mixture_.attention_output, 0, 1);
	}

	Result<T> feedForwardDownType(const MixtureTensor& tensor) {
		uint32_t layer = downs_seen_++;
		if (model_.experts > 1) {  // several such tensors a layer: the name tells
			const auto named = layerOf(tensor.name);
			if (!named || *named >= model_.layers)
				return fail(ErrorCode::kMalformed, fmt::format("tensor {} is of no layer of this model, which has {}", tensor.name, model_.layers));
			layer = *named;
		}
		return apply(mixture_.feed_forward_down, layer, model_.layers);
	}

	T apply(const Rules& rules, uint32_t layer, uint32_t layers) const {
		for (const Rule& rule : rules)
			if (holds(rule.when, layer, layers)) return rule.type;
		return base();
	}

	bool holds(When when, uint32_t i, uint32_t n) const {
		const uint32_t eighth = n / 8;
		switch (when) {
		case When::kNever: return false;
		case When::kAlways: return true;
		case When::kFirstTwo: return i < 2;
		case When::kFirstFour: return i < 4;
		case When::kFirstSixteenth: return i < n / 16;
		case When::kFirstEighth: return i < eighth;
		case When::kMoreBits: return i < eighth || i >= uint64_t(7) * n / 8 || (i - eighth) % 3 == 2;
		case When::kSharedKeys: return model_.kv_heads != 0 && model_.heads / model_.kv_heads >= 4;
		case When::kWithImatrix: return options_.have_imatrix && i < eighth;
		case When::kWithoutImatrix: return !options_.have_imatrix && i < eighth;
		}
		return false;
	}

	bool isLargeModel() const {
		return std::any_of(std::begin(kLargeModels), std::end(kLargeModels), [this](const LargeModel& large) {
			return large.arch == model_.arch && large.layers == model_.layers && model_.experts != kMixtralExperts &&
			       (!large.needs_shared_keys || model_.heads != model_.kv_heads);
		});
	}

	const MixtureModel& model_;
	const MixtureOptions& options_;
	const Mixture& mixture_;
	bool tied_ = true;           // no output matrix of its own: the embedding serves as one and is treated as one
	uint32_t value_count_ = 0;
	uint32_t values_seen_ = 0;
	uint32_t downs_seen_ = 0;
};

/// The user's word goes before the file type's own (_L).
std::optional<T> namedType(const MixtureOptions& options, std::string_view name) {
	const Role role = roleOf(name);
	if (role == Role::kEmbedding) return options.embedding_type ? options.embedding_type : options.target.embedding_type;
	if (role == Role::kOutput) return options.output_type ? options.output_type : options.target.output_type;
	return std::nullopt;
}

}  // namespace

bool canQuantize(const MixtureTensor& tensor) {
	const bool is_matrix = tensor.ne[1] > 1 || tensor.ne[2] > 1 || tensor.ne[3] > 1;
	if (!is_matrix || !tensor.name.ends_with("weight")) return false;
	return std::none_of(std::begin(kKeptNames), std::end(kKeptNames), [&](std::string_view part) { return contains(tensor.name, part); }) &&
	       std::none_of(std::begin(kKeptExactly), std::end(kKeptExactly), [&](std::string_view name) { return tensor.name == name; });
}

Result<std::vector<MixtureChoice>> chooseTypes(const MixtureModel& model, std::span<const MixtureTensor> tensors, const MixtureOptions& options) {
	std::vector<std::pair<NamePattern, T>> overrides;
	for (const MixtureOptions::Override& override : options.overrides) {
		VKQ_TRY(auto pattern, NamePattern::compile(override.pattern));
		overrides.emplace_back(std::move(pattern), override.type);
	}

	Chooser chooser(model, tensors, options);
	std::vector<MixtureChoice> choices;
	choices.reserve(tensors.size());
	for (const MixtureTensor& tensor : tensors) {
		if (!canQuantize(tensor) || (options.leave_output_tensor && tensor.name == kOutputName)) {
			choices.push_back({tensor.type, false});
			continue;
		}
		const auto matching = std::find_if(overrides.begin(), overrides.end(), [&](const auto& entry) { return entry.first.foundIn(tensor.name); });
		T type = options.target.base;
		if (const auto named = namedType(options, tensor.name)) {
			type = *named;
		} else if (!typeInfo(options.target.base).quantized) {
			type = options.target.base;
		} else if (matching != overrides.end()) {
			type = matching->second;
		} else if (!options.pure) {
			VKQ_TRY(type, chooser.byRules(tensor));
		}
		choices.push_back(withFallback(type, tensor.ne[0]));
	}
	return choices;
}

bool needsImportance(FileType file_type, TensorType type, std::string_view tensor_name) {
	if (tensor_name == kOutputName || tensor_name == kEmbeddingName) return false;
	switch (type) {
	case T::IQ1_S: case T::IQ1_M: case T::IQ2_XXS: case T::IQ2_XS: case T::IQ2_S: case T::IQ3_XXS: return true;
	case T::Q2_K: return file_type == F::Q2_K_S;
	default: return false;
	}
}

Result<void> checkImportanceNeeds(FileType file_type, std::span<const MixtureTensor> tensors, std::span<const MixtureChoice> choices) {
	constexpr size_t kNamed = 3;
	std::string names;
	size_t missing = 0;
	for (size_t i = 0; i < tensors.size(); ++i) {
		if (tensors[i].has_importance || !needsImportance(file_type, choices[i].type, tensors[i].name)) continue;
		if (missing++ < kNamed) names += fmt::format("{}{}", names.empty() ? "" : ", ", tensors[i].name);
	}
	if (missing == 0) return {};
	if (missing > kNamed) names += ", ...";
	return fail(ErrorCode::kUsage, fmt::format("{} needs an importance matrix, and {} tensors have none: {}", fileTypeName(file_type), missing, names),
	            file_type == F::Q2_K_S ? "give --imatrix FILE, or use Q2_K" : "give --imatrix FILE");
}

}  // namespace vkq
