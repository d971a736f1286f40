// The glossary: what a model is made of, with shapes and units. Everything that sizes, plans or runs a model reads this.
//
// Shapes are written as in GGUF: [ne0, ne1, ...], ne0 contiguous. A weight [in, out] maps a vector of `in` to one of `out`.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"
#include "quant/mixture.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

enum class Architecture { Llama, Qwen2, Qwen3, Qwen3Moe, Gemma2, Gemma3, Phi3 };   // mistral, mixtral, smollm are Llama

enum class RopeStyle { Interleaved, HalfSplit };   // pairs (2i, 2i+1), or (i, i + dim/2)
enum class RopeScaling { None, Linear, Yarn, LongRope };   // llama3 scaling is a tensor, rope_freqs.weight
enum class Activation { Silu, GeluTanh };

struct Hyperparameters {
	Architecture arch = Architecture::Llama;
	uint32_t n_vocab = 0;         // tokens
	uint32_t n_ctx_train = 0;     // tokens, context the model was trained for
	uint32_t n_embd = 0;          // width of the residual stream
	uint32_t n_layer = 0;
	uint32_t n_head = 0;          // query heads
	uint32_t n_head_kv = 0;       // key/value heads; n_head % n_head_kv == 0
	uint32_t head_dim = 0;        // elements of one head of q, k and v
	uint32_t n_ff = 0;            // hidden width of a dense feed-forward, or of all experts' when they have none of their own
	uint32_t n_expert = 0;        // 0: dense
	uint32_t n_expert_used = 0;
	uint32_t n_ff_expert = 0;     // hidden width of one expert
	bool norm_expert_weights = true;  // the chosen experts' weights sum to 1

	float norm_eps = 1e-5f;
	Activation activation = Activation::Silu;
	float embedding_scale = 1.0f;      // gemma: sqrt(n_embd)
	float attention_scale = 0.0f;      // applied to q; 1/sqrt(head_dim) unless the family says otherwise
	float attention_softcap = 0.0f;    // 0: none; cap * tanh(score / cap)
	float logit_softcap = 0.0f;

	RopeStyle rope_style = RopeStyle::HalfSplit;
	uint32_t rope_dims = 0;            // rotated elements of a head; the rest pass through
	float rope_base = 10000.0f;
	float rope_base_swa = 10000.0f;    // of sliding-window layers
	RopeScaling rope_scaling = RopeScaling::None;
	float rope_factor = 1.0f;
	uint32_t rope_ctx_original = 0;    // tokens
	float rope_attention_factor = 1.0f;
	float yarn_ext_factor = 1.0f, yarn_beta_fast = 32.0f, yarn_beta_slow = 1.0f;

	uint32_t sliding_window = 0;       // tokens; 0: no layer slides
	uint32_t sliding_pattern = 0;      // layer i slides if i % pattern < pattern - 1 (gemma2: 2, gemma3: 6)

	bool tied_embeddings = false;      // no output.weight: token_embd serves
	bool qkv_bias = false;
	bool qk_norm = false;              // per head, before RoPE
	bool post_norms = false;           // gemma: norms after attention and feed-forward too
	bool fused_qkv = false;            // phi3
	bool fused_gate_up = false;        // phi3: ffn_up holds gate rows, then up rows

	uint32_t n_embd_q() const { return n_head * head_dim; }
	uint32_t n_embd_kv() const { return n_head_kv * head_dim; }
	bool slides(uint32_t layer) const { return sliding_window != 0 && sliding_pattern != 0 && layer % sliding_pattern < sliding_pattern - 1; }
};

std::string_view archName(Architecture arch);                            // GGUF's name: "llama"
std::optional<Architecture> archFromName(std::string_view name);
std::string supportedArchNames();                                        // "llama, qwen2, ..." for messages

/// From a GGUF's metadata (and its tensor list, for what only presence tells: tied, biases, fused). Every value is range-checked.
Result<Hyperparameters> readHyperparameters(const Metadata& metadata, std::span<const TensorInfo> tensors, std::string_view file);

/// The tensors that a model of these hyperparameters has, with shapes, in processing order: what the planner sizes when
/// there is no file, and what a file is checked against. `type` is F16 for matrices, F32 for vectors and the router.
std::vector<TensorInfo> expectedTensors(const Hyperparameters& hyperparameters);

/// Names and shapes agree with expectedTensors(); the first difference is named. Unknown extra tensors are an error too,
/// but for rope_freqs / rope_factors_*.
Result<void> checkTensors(const Hyperparameters& hyperparameters, std::span<const TensorInfo> tensors, std::string_view file);

MixtureModel mixtureModel(const Hyperparameters& hyperparameters);

/// For files of architectures that we quantize but do not run: what chooseTypes() asks, from the metadata alone.
MixtureModel mixtureModel(const Metadata& metadata);

}  // namespace vkq
