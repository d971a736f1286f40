// GGUF metadata -> Hyperparameters. Bounds are generous (several times the largest published model) and tight enough that
// every product of two shapes fits 64 bits.
#include "arch/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace vkq {

namespace {

constexpr uint32_t kMaxLayers = 4096;
constexpr uint32_t kMaxHeads = 4096;
constexpr uint32_t kMaxWidth = 1u << 20;      // embedding and feed-forward
constexpr uint32_t kMaxHeadDim = 4096;
constexpr uint32_t kMaxVocab = 1u << 24;
constexpr uint32_t kMaxExperts = 4096;
constexpr uint32_t kMaxContext = std::numeric_limits<int32_t>::max();

constexpr uint32_t kGemma2Layers27B = 46;     // the family's largest models scale attention by width, not by head
constexpr uint32_t kGemma3Layers27B = 62;

/// Reads "ARCH.key" values and remembers the first thing that is wrong, so that the caller reads as a list of fields.
class Keys {
public:
	Keys(const Metadata& metadata, std::string_view arch, std::string_view file) : metadata_(metadata), arch_(arch), file_(file) {}

	uint32_t required(std::string_view name, uint32_t least, uint32_t most) {
		const std::string key = full(name);
		if (!metadata_.contains(key)) return note(ErrorCode::kMalformed, fmt::format("metadata key {} is missing", key)), least;
		return integer(key, least, most);
	}

	uint32_t optional(std::string_view name, uint32_t fallback, uint32_t least, uint32_t most) {
		const std::string key = full(name);
		return metadata_.contains(key) ? integer(key, least, most) : fallback;
	}

	float number(std::string_view name, float fallback, double least, double most) {
		const std::string key = full(name);
		if (!metadata_.contains(key)) return fallback;
		const auto value = metadata_.number(key);
		if (!value) return note(ErrorCode::kMalformed, fmt::format("metadata key {} is not a number", key)), fallback;
		if (!(*value >= least && *value <= most)) {
			note(ErrorCode::kInvalidData, fmt::format("{} is {}, outside {} to {}", key, *value, least, most));
			return fallback;
		}
		return float(*value);
	}

	float requiredNumber(std::string_view name, double least, double most) {
		const std::string key = full(name);
		if (!metadata_.contains(key)) note(ErrorCode::kMalformed, fmt::format("metadata key {} is missing", key));
		return number(name, float(least), least, most);
	}

	bool boolean(std::string_view name, bool fallback) { return metadata_.boolean(full(name)).value_or(fallback); }
	std::optional<std::string_view> string(std::string_view name) { return metadata_.string(full(name)); }
	const MetaArray* array(std::string_view name) { return metadata_.array(full(name)); }
	bool contains(std::string_view name) { return metadata_.contains(full(name)); }

	void note(ErrorCode code, std::string reason, std::string hint = {}) {
		if (!error_) error_ = fail(code, fmt::format("{}: {}", file_, reason), std::move(hint));
	}
	const std::optional<Error>& error() const { return error_; }

private:
	std::string full(std::string_view name) const { return fmt::format("{}.{}", arch_, name); }

	uint32_t integer(const std::string& key, uint32_t least, uint32_t most) {
		std::optional<uint64_t> value = metadata_.unsignedInt(key);
		if (!value) {
			if (const MetaArray* values = metadata_.array(key)) value = same(*values, key);
			else note(ErrorCode::kMalformed, fmt::format("metadata key {} is not a non-negative whole number", key));
		}
		if (!value) return least;
		if (*value < least || *value > most) {
			note(ErrorCode::kInvalidData, fmt::format("{} is {}, outside {} to {}", key, *value, least, most));
			return least;
		}
		return uint32_t(*value);
	}

	/// A value per layer: allowed when all layers agree.
	std::optional<uint64_t> same(const MetaArray& values, const std::string& key) {
		return std::visit([&](const auto& list) -> std::optional<uint64_t> {
			using List = std::decay_t<decltype(list)>;
			if constexpr (!std::is_same_v<List, MetaBools>) {
				using Item = typename List::value_type;
				if constexpr (std::is_integral_v<Item>) {
					if (list.empty() || list.front() < 0) {
						note(ErrorCode::kMalformed, fmt::format("metadata key {} holds no usable value", key));
						return std::nullopt;
					}
					if (std::any_of(list.begin(), list.end(), [&](Item item) { return item != list.front(); })) {
						note(ErrorCode::kUnsupported, fmt::format("{} differs from layer to layer, which is not supported", key));
						return std::nullopt;
					}
					return uint64_t(list.front());
				}
			}
			note(ErrorCode::kMalformed, fmt::format("metadata key {} is not a list of whole numbers", key));
			return std::nullopt;
		}, values);
	}

	const Metadata& metadata_;
	std::string_view arch_, file_;
	std::optional<Error> error_;
};

const TensorInfo* findTensor(std::span<const TensorInfo> tensors, std::string_view name) {
	const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TensorInfo& t) { return t.name == name; });
	return found == tensors.end() ? nullptr : &*found;
}

bool isGemma(Architecture arch) { return arch == Architecture::Gemma2 || arch == Architecture::Gemma3; }

/// The vocabulary: rows of the embedding if there is a file, else what the metadata says.
void readVocabulary(Keys& keys, const Metadata& metadata, std::span<const TensorInfo> tensors, Hyperparameters& h) {
	if (const TensorInfo* embedding = findTensor(tensors, "token_embd.weight")) {
		if (embedding->ne[1] < 1 || embedding->ne[1] > kMaxVocab) {
			return keys.note(ErrorCode::kInvalidData, fmt::format("token_embd.weight has {} rows, outside 1 to {}", embedding->ne[1], kMaxVocab));
		}
		h.n_vocab = uint32_t(embedding->ne[1]);
		return;
	}
	if (!tensors.empty()) return keys.note(ErrorCode::kMalformed, "tensor token_embd.weight is missing");
	if (keys.contains("vocab_size")) {
		h.n_vocab = keys.required("vocab_size", 1, kMaxVocab);
	} else if (const MetaArray* tokens = metadata.array("tokenizer.ggml.tokens"); tokens && metaArraySize(*tokens) >= 1 && metaArraySize(*tokens) <= kMaxVocab) {
		h.n_vocab = uint32_t(metaArraySize(*tokens));
	} else {
		keys.note(ErrorCode::kMalformed, "the size of the vocabulary is nowhere to be found");
	}
}

void readRope(Keys& keys, std::span<const TensorInfo> tensors, Hyperparameters& h) {
	h.rope_style = h.arch == Architecture::Llama ? RopeStyle::Interleaved : RopeStyle::HalfSplit;
	h.rope_dims = keys.optional("rope.dimension_count", h.head_dim, 2, h.head_dim);
	if (h.rope_dims % 2) keys.note(ErrorCode::kUnsupported, fmt::format("rope.dimension_count is {}, which is odd", h.rope_dims));
	h.rope_base = keys.number("rope.freq_base", 10000.0f, 1.0, 1e12);
	h.rope_base_swa = keys.number("rope.freq_base_swa", h.arch == Architecture::Gemma3 ? 10000.0f : h.rope_base, 1.0, 1e12);
	h.rope_ctx_original = keys.optional("rope.scaling.original_context_length", h.n_ctx_train, 1, kMaxContext);
	h.rope_attention_factor = keys.number("rope.scaling.attn_factor", 1.0f, 0.0, 1e3);

	const std::string_view type = keys.string("rope.scaling.type").value_or("none");
	if (type == "linear") h.rope_scaling = RopeScaling::Linear;
	else if (type == "yarn") h.rope_scaling = RopeScaling::Yarn;
	else if (type == "longrope") h.rope_scaling = RopeScaling::LongRope;
	else if (type != "none") keys.note(ErrorCode::kUnsupported, fmt::format("RoPE scaling '{}' is not supported", type));
	if (findTensor(tensors, "rope_factors_long.weight")) h.rope_scaling = RopeScaling::LongRope;   // the tensors mean it, with or without the key

	// The oldest files have only a linear factor, under another name.
	const float linear = keys.number("rope.scale_linear", 1.0f, 1e-3, 1e6);
	h.rope_factor = keys.number("rope.scaling.factor", linear, 1e-3, 1e6);
	if (h.rope_scaling == RopeScaling::None && h.rope_factor != 1.0f) {
		if (type == "none" && keys.contains("rope.scaling.type")) h.rope_factor = 1.0f;
		else h.rope_scaling = RopeScaling::Linear;
	}
	h.yarn_ext_factor = keys.number("rope.scaling.yarn_ext_factor", 1.0f, -1e3, 1e3);
	if (h.yarn_ext_factor < 0.0f) h.yarn_ext_factor = 1.0f;   // negative: the default
	h.rope_attention_factor *= keys.number("rope.scaling.yarn_attn_factor", 1.0f, 0.0, 1e3);
	h.yarn_beta_fast = keys.number("rope.scaling.yarn_beta_fast", 32.0f, 0.0, 1e6);
	h.yarn_beta_slow = keys.number("rope.scaling.yarn_beta_slow", 1.0f, 0.0, 1e6);
}

/// Which layers slide. Only gemma does at run time: qwen2 and phi3 carry the key, and full attention is what they are run with.
void readSlidingWindow(Keys& keys, Hyperparameters& h) {
	if (!isGemma(h.arch)) return;
	h.sliding_window = keys.optional("attention.sliding_window", h.arch == Architecture::Gemma2 ? 4096 : 0, 0, kMaxContext);
	const uint32_t family_pattern = h.arch == Architecture::Gemma2 ? 2 : 6;
	if (h.sliding_window == 0) return;
	const MetaArray* per_layer = keys.array("attention.sliding_window_pattern");
	const MetaBools* flags = per_layer ? std::get_if<MetaBools>(per_layer) : nullptr;
	if (!flags) {
		h.sliding_pattern = keys.optional("attention.sliding_window_pattern", family_pattern, 1, kMaxLayers);
		return;
	}
	// A flag per layer: find the period that it has.
	const auto first_full = std::find(flags->values.begin(), flags->values.end(), uint8_t(0));
	h.sliding_pattern = uint32_t(first_full - flags->values.begin()) + 1;
	for (uint32_t layer = 0; layer < flags->values.size(); ++layer) {
		if (h.slides(layer) != bool(flags->values[layer])) {
			return keys.note(ErrorCode::kUnsupported, "the sliding-window layers do not repeat with a period, which is not supported");
		}
	}
}

void readExperts(Keys& keys, Hyperparameters& h) {
	h.n_expert = keys.optional("expert_count", 0, 0, kMaxExperts);
	if (h.n_expert == 0) {
		if (h.arch == Architecture::Qwen3Moe) keys.note(ErrorCode::kMalformed, "qwen3moe.expert_count is missing or zero");
		return;
	}
	if (h.arch != Architecture::Llama && h.arch != Architecture::Qwen3Moe) {
		return keys.note(ErrorCode::kUnsupported, fmt::format("experts in a {} model are not supported", archName(h.arch)));
	}
	h.n_expert_used = keys.required("expert_used_count", 1, h.n_expert);
	h.n_ff_expert = keys.optional("expert_feed_forward_length", h.n_ff, 1, kMaxWidth);
	h.norm_expert_weights = keys.boolean("expert_weights_norm", true);
}

void readPresence(std::span<const TensorInfo> tensors, Hyperparameters& h) {
	const auto has = [&](std::string_view name) { return findTensor(tensors, name) != nullptr; };
	h.qk_norm = h.arch == Architecture::Qwen3 || h.arch == Architecture::Qwen3Moe || h.arch == Architecture::Gemma3;
	h.post_norms = isGemma(h.arch);
	h.fused_qkv = h.fused_gate_up = h.arch == Architecture::Phi3;
	h.qkv_bias = h.arch == Architecture::Qwen2;
	h.tied_embeddings = isGemma(h.arch);
	if (tensors.empty()) return;
	h.qkv_bias = h.qkv_bias || has("blk.0.attn_q.bias");
	h.tied_embeddings = !has("output.weight");
}

}  // namespace

Result<Hyperparameters> readHyperparameters(const Metadata& metadata, std::span<const TensorInfo> tensors, std::string_view file) {
	const auto arch_name = metadata.string("general.architecture");
	if (!arch_name) return fail(ErrorCode::kMalformed, fmt::format("{}: metadata key general.architecture is missing", file));
	const auto arch = archFromName(*arch_name);
	if (!arch) {
		return fail(ErrorCode::kUnsupported, fmt::format("{}: architecture '{}' is not supported", file, *arch_name),
		            fmt::format("supported: {}", supportedArchNames()));
	}

	Keys keys(metadata, *arch_name, file);
	Hyperparameters h;
	h.arch = *arch;
	h.n_ctx_train = keys.required("context_length", 1, kMaxContext);
	h.n_embd = keys.required("embedding_length", 1, kMaxWidth);
	h.n_layer = keys.required("block_count", 1, kMaxLayers);
	h.n_ff = keys.required("feed_forward_length", 1, kMaxWidth);
	h.n_head = keys.required("attention.head_count", 1, kMaxHeads);
	h.n_head_kv = keys.optional("attention.head_count_kv", h.n_head, 1, kMaxHeads);
	if (keys.error()) return *keys.error();
	if (h.n_head % h.n_head_kv) keys.note(ErrorCode::kInvalidData, fmt::format("{} query heads cannot share {} key/value heads", h.n_head, h.n_head_kv));

	if (keys.contains("attention.key_length")) {
		h.head_dim = keys.required("attention.key_length", 2, kMaxHeadDim);
	} else {
		if (h.n_embd % h.n_head || h.n_embd / h.n_head > kMaxHeadDim || h.n_embd / h.n_head < 2) {
			keys.note(ErrorCode::kInvalidData, fmt::format("an embedding of {} cannot be divided into {} heads", h.n_embd, h.n_head));
			return *keys.error();
		}
		h.head_dim = h.n_embd / h.n_head;
	}
	const uint32_t value_dim = keys.optional("attention.value_length", h.head_dim, 1, kMaxHeadDim);
	if (value_dim != h.head_dim) {
		keys.note(ErrorCode::kUnsupported, fmt::format("keys of {} and values of {} elements a head are not supported", h.head_dim, value_dim));
	}
	if (h.head_dim % 2) keys.note(ErrorCode::kUnsupported, fmt::format("a head of {} elements is odd, RoPE needs pairs", h.head_dim));
	if (keys.error()) return *keys.error();

	h.norm_eps = keys.requiredNumber("attention.layer_norm_rms_epsilon", 0.0, 1.0);
	h.activation = isGemma(h.arch) ? Activation::GeluTanh : Activation::Silu;
	h.embedding_scale = isGemma(h.arch) ? std::sqrt(float(h.n_embd)) : 1.0f;
	const bool by_width = (h.arch == Architecture::Gemma2 && h.n_layer == kGemma2Layers27B) ||
	                      (h.arch == Architecture::Gemma3 && h.n_layer == kGemma3Layers27B);
	h.attention_scale = 1.0f / std::sqrt(float(by_width ? h.n_embd / h.n_head : h.head_dim));
	if (h.arch == Architecture::Gemma2) {
		h.attention_softcap = keys.number("attn_logit_softcapping", 50.0f, 0.0, 1e6);
		h.logit_softcap = keys.number("final_logit_softcapping", 30.0f, 0.0, 1e6);
	} else if (h.arch == Architecture::Gemma3) {
		h.logit_softcap = keys.number("final_logit_softcapping", 0.0f, 0.0, 1e6);
	}

	readVocabulary(keys, metadata, tensors, h);
	readRope(keys, tensors, h);
	readSlidingWindow(keys, h);
	readExperts(keys, h);
	readPresence(tensors, h);
	if (keys.error()) return *keys.error();
	return h;
}

}  // namespace vkq
