// config.json of a Hugging Face model -> what names, shapes and metadata need.
//
// Families differ in what they write and in their defaults; both forms of rope parameters are read (rope_theta with
// rope_scaling, and rope_parameters of newer versions). Every number is range-checked, so that products of two fit 64 bits.
#pragma once

#include "core/result.h"
#include "ggufio/json_text.h"
#include "ggufio/metadata.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

enum class HuggingFaceFamily { Llama, Mixtral, Qwen2, Qwen3, Qwen3Moe, Gemma2, Gemma3, Phi3 };   // mistral and smollm are Llama

struct HuggingFaceRope {
	std::string type = "default";           // default, linear, dynamic, yarn, llama3, longrope
	std::optional<double> theta;
	std::optional<double> theta_local;      // of sliding-window layers
	std::optional<double> factor;
	std::optional<uint64_t> original_context;
	double low_frequency_factor = 1.0, high_frequency_factor = 4.0;                       // llama3
	std::optional<double> attention_factor, extrapolation_factor, beta_fast, beta_slow;   // yarn
	std::vector<double> long_factors, short_factors;                                      // longrope
	double partial_rotary_factor = 1.0;
};

struct HuggingFaceConfig {
	HuggingFaceFamily family = HuggingFaceFamily::Llama;
	std::string architecture;            // as the config names it: "LlamaForCausalLM"
	std::string arch;                    // as GGUF does: "llama"

	uint64_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0, n_vocab = 0, n_ctx = 0;
	std::optional<uint64_t> head_dim;    // when the config gives it; headDim() otherwise
	uint64_t n_expert = 0, n_expert_used = 0;
	std::optional<uint64_t> n_ff_expert;
	bool norm_expert_weights = true;

	double norm_eps = 1e-6;
	HuggingFaceRope rope;
	std::optional<double> attention_softcap, logit_softcap;
	std::optional<uint64_t> sliding_window;
	std::optional<uint64_t> sliding_pattern;   // layer i slides if i % pattern < pattern - 1
	std::optional<bool> tied_embeddings;       // nothing: the config does not say

	/// Weights come as FP8 with scales; block of weight_block_size, {0, 0} when it is not given.
	bool fp8 = false;
	std::array<uint64_t, 2> fp8_block{0, 0};

	Json json;                           // with text_config's members at the root: token ids are looked up in it

	uint64_t headDim() const { return head_dim.value_or(n_embd / n_head); }
	uint64_t expertWidth() const { return n_ff_expert.value_or(n_ff); }
	bool gemma() const { return family == HuggingFaceFamily::Gemma2 || family == HuggingFaceFamily::Gemma3; }
	/// Rotated elements of a head.
	uint64_t ropeDims() const;
};

/// `file` is config.json's path, for errors. What is odd but harmless is added to `warnings`.
Result<HuggingFaceConfig> readHuggingFaceConfig(Json json, std::string_view file, std::vector<std::string>& warnings);

/// "LlamaForCausalLM, MistralForCausalLM, ..." for messages.
std::string supportedHuggingFaceArchitectures();

/// The model's keys in the order in which the reference's converter writes them, general.architecture not included.
/// `file_type` is GGUF's number for the dtype of most weights.
void appendModelMetadata(const HuggingFaceConfig& config, uint32_t file_type, Metadata& metadata);

}  // namespace vkq
