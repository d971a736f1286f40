// HuggingFaceConfig -> GGUF keys.
#include "ggufio/huggingface_config.h"

#include <fmt/format.h>

#include <cmath>

namespace vkq {

namespace {

/// Writes "ARCH.key"s.
class Keys {
public:
	Keys(const HuggingFaceConfig& config, Metadata& metadata) : config_(config), metadata_(metadata) {}

	void whole(std::string_view key, std::optional<uint64_t> value) {
		if (value) metadata_.set(full(key), uint32_t(*value));
	}
	void number(std::string_view key, std::optional<double> value) {
		if (value) metadata_.set(full(key), float(*value));
	}
	void text(std::string_view key, std::string value) { metadata_.set(full(key), std::move(value)); }
	void flag(std::string_view key, bool value) { metadata_.set(full(key), value); }
	void general(std::string_view key, uint32_t value) { metadata_.set(std::string(key), value); }

private:
	std::string full(std::string_view key) const { return fmt::format("{}.{}", config_.arch, key); }

	const HuggingFaceConfig& config_;
	Metadata& metadata_;
};

void appendRopeScaling(Keys& keys, const HuggingFaceRope& rope) {
	if (rope.type == "linear") {
		keys.text("rope.scaling.type", "linear");
		keys.number("rope.scaling.factor", rope.factor);
	} else if (rope.type == "yarn") {
		keys.text("rope.scaling.type", "yarn");
		keys.number("rope.scaling.factor", rope.factor);
		keys.whole("rope.scaling.original_context_length", rope.original_context);
		keys.number("rope.scaling.yarn_ext_factor", rope.extrapolation_factor);
		keys.number("rope.scaling.yarn_attn_factor", rope.attention_factor);
		keys.number("rope.scaling.yarn_beta_fast", rope.beta_fast);
		keys.number("rope.scaling.yarn_beta_slow", rope.beta_slow);
	}
}

void appendHeads(Keys& keys, const HuggingFaceConfig& config) {
	keys.whole("attention.head_count", config.n_head);
	keys.whole("attention.head_count_kv", config.n_head_kv);
}

void appendHeadLengths(Keys& keys, const HuggingFaceConfig& config) {
	keys.whole("attention.key_length", config.head_dim);
	keys.whole("attention.value_length", config.head_dim);
}

void appendGemma2(Keys& keys, const HuggingFaceConfig& config, uint32_t file_type) {
	keys.whole("context_length", config.n_ctx);
	keys.whole("embedding_length", config.n_embd);
	keys.whole("block_count", config.n_layer);
	keys.whole("feed_forward_length", config.n_ff);
	appendHeads(keys, config);
	keys.number("attention.layer_norm_rms_epsilon", config.norm_eps);
	appendHeadLengths(keys, config);
	// The run time's default is what every published model has; another base has to be said.
	if (config.rope.theta && *config.rope.theta != 10000.0) keys.number("rope.freq_base", config.rope.theta);
	keys.general("general.file_type", file_type);
	keys.number("attn_logit_softcapping", config.attention_softcap.value_or(0.0));
	keys.number("final_logit_softcapping", config.logit_softcap.value_or(0.0));
	keys.whole("attention.sliding_window", config.sliding_window);
	keys.whole("attention.sliding_window_pattern", config.sliding_pattern);
}

void appendPhi3(Keys& keys, const HuggingFaceConfig& config, uint32_t file_type) {
	const HuggingFaceRope& rope = config.rope;
	if (!rope.long_factors.empty()) {
		const double original = double(*rope.original_context), scale = double(config.n_ctx) / original;
		const double factor = rope.type == "yarn" ? 0.1 * std::log(scale) + 1.0 : std::sqrt(1.0 + std::log(scale) / std::log(original));
		keys.number("rope.scaling.attn_factor", scale > 1.0 ? factor : 1.0);
	}
	keys.whole("context_length", config.n_ctx);
	keys.whole("rope.scaling.original_context_length", rope.original_context);
	keys.whole("embedding_length", config.n_embd);
	keys.whole("feed_forward_length", config.n_ff);
	keys.whole("block_count", config.n_layer);
	appendHeads(keys, config);
	keys.number("attention.layer_norm_rms_epsilon", config.norm_eps);
	keys.whole("rope.dimension_count", config.ropeDims());
	keys.number("rope.freq_base", rope.theta.value_or(10000.0));
	keys.general("general.file_type", file_type);
	keys.whole("attention.sliding_window", config.sliding_window.value_or(0));   // 0 tells phi-4 from its elders
}

}  // namespace

void appendModelMetadata(const HuggingFaceConfig& config, uint32_t file_type, Metadata& metadata) {
	Keys keys(config, metadata);
	if (config.family == HuggingFaceFamily::Gemma2) return appendGemma2(keys, config, file_type);
	if (config.family == HuggingFaceFamily::Phi3) return appendPhi3(keys, config, file_type);

	keys.whole("block_count", config.n_layer);
	keys.whole("context_length", config.n_ctx);
	keys.whole("embedding_length", config.n_embd);
	keys.whole("feed_forward_length", config.n_ff);
	appendHeads(keys, config);
	appendRopeScaling(keys, config.rope);
	keys.number("rope.freq_base", config.family == HuggingFaceFamily::Gemma3 ? config.rope.theta.value_or(1e6) : config.rope.theta);
	keys.number("rope.freq_base_swa", config.rope.theta_local);
	keys.number("attention.layer_norm_rms_epsilon", config.norm_eps);
	if (config.n_expert) {
		keys.whole("expert_count", config.n_expert);
		keys.whole("expert_used_count", config.n_expert_used);
	}
	appendHeadLengths(keys, config);
	keys.general("general.file_type", file_type);
	keys.whole("expert_feed_forward_length", config.n_ff_expert);
	if (!config.norm_expert_weights) keys.flag("expert_weights_norm", false);

	if (config.arch == "llama") {
		keys.whole("vocab_size", config.n_vocab);
		keys.whole("rope.dimension_count", config.headDim());
	} else if (config.family == HuggingFaceFamily::Gemma3) {
		if (config.logit_softcap.value_or(0.0) != 0.0) keys.number("final_logit_softcapping", config.logit_softcap);
		keys.whole("attention.sliding_window", config.sliding_window);
		keys.whole("attention.sliding_window_pattern", config.sliding_pattern);
	}
}

}  // namespace vkq
