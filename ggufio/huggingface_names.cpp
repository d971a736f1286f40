#include "ggufio/huggingface_names.h"

#include <algorithm>
#include <array>

namespace vkq {

namespace {

constexpr uint32_t bit(HuggingFaceFamily family) { return 1u << uint32_t(family); }

constexpr uint32_t kAll = 0xff;
constexpr uint32_t kGemma = bit(HuggingFaceFamily::Gemma2) | bit(HuggingFaceFamily::Gemma3);
constexpr uint32_t kPhi3 = bit(HuggingFaceFamily::Phi3);
constexpr uint32_t kExperts = bit(HuggingFaceFamily::Mixtral) | bit(HuggingFaceFamily::Qwen3Moe);
constexpr uint32_t kHeadNorms = bit(HuggingFaceFamily::Qwen3) | bit(HuggingFaceFamily::Qwen3Moe) | bit(HuggingFaceFamily::Gemma3);
constexpr uint32_t kSplit = kAll & ~kPhi3;                // q, k, v apart
constexpr uint32_t kDense = kAll & ~kExperts & ~kPhi3;    // gate and up apart

using enum Extent;

constexpr std::array<StoredName, 3> kModel{{
    {"model.embed_tokens.weight", "token_embd.weight", Vocab, Embd, kAll},
    {"model.norm.weight", "output_norm.weight", One, Embd, kAll, StoredName::Norm},
    {"lm_head.weight", "output.weight", Vocab, Embd, kAll, StoredName::Plain, true},
}};

constexpr std::array<StoredName, 25> kLayer{{
    {"input_layernorm.weight", "attn_norm.weight", One, Embd, kAll, StoredName::Norm},
    {"self_attn.q_proj.weight", "attn_q.weight", Heads, Embd, kSplit, StoredName::Query},
    {"self_attn.k_proj.weight", "attn_k.weight", KvHeads, Embd, kSplit, StoredName::Key},
    {"self_attn.v_proj.weight", "attn_v.weight", KvHeads, Embd, kSplit},
    {"self_attn.qkv_proj.weight", "attn_qkv.weight", QkvFused, Embd, kPhi3},
    {"self_attn.o_proj.weight", "attn_output.weight", Embd, Heads, kAll},
    {"self_attn.q_proj.bias", "attn_q.bias", One, Heads, kSplit, StoredName::Query, true},
    {"self_attn.k_proj.bias", "attn_k.bias", One, KvHeads, kSplit, StoredName::Key, true},
    {"self_attn.v_proj.bias", "attn_v.bias", One, KvHeads, kSplit, StoredName::Plain, true},
    {"self_attn.qkv_proj.bias", "attn_qkv.bias", One, QkvFused, kPhi3, StoredName::Plain, true},
    {"self_attn.o_proj.bias", "attn_output.bias", One, Embd, kAll, StoredName::Plain, true},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", One, HeadDim, kHeadNorms, StoredName::Norm},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", One, HeadDim, kHeadNorms, StoredName::Norm},
    {"post_attention_layernorm.weight", "ffn_norm.weight", One, Embd, kAll & ~kGemma, StoredName::Norm},
    {"post_attention_layernorm.weight", "post_attention_norm.weight", One, Embd, kGemma, StoredName::Norm},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight", One, Embd, kGemma, StoredName::Norm},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", One, Embd, kGemma, StoredName::Norm},
    {"mlp.gate_proj.weight", "ffn_gate.weight", FeedForward, Embd, kDense},
    {"mlp.up_proj.weight", "ffn_up.weight", FeedForward, Embd, kDense},
    {"mlp.gate_up_proj.weight", "ffn_up.weight", GateAndUp, Embd, kPhi3},
    {"mlp.down_proj.weight", "ffn_down.weight", Embd, FeedForward, kAll & ~kExperts},
    {"mlp.gate_proj.bias", "ffn_gate.bias", One, FeedForward, kDense, StoredName::Plain, true},
    {"mlp.up_proj.bias", "ffn_up.bias", One, FeedForward, kDense, StoredName::Plain, true},
    {"mlp.down_proj.bias", "ffn_down.bias", One, Embd, kDense, StoredName::Plain, true},
    {"mlp.gate.weight", "ffn_gate_inp.weight", Experts, Embd, kExperts, StoredName::Router},
}};

bool replaceFront(std::string& name, std::string_view front, std::string_view by) {
	if (!name.starts_with(front)) return false;
	name.replace(0, front.size(), by);
	return true;
}

}  // namespace

uint64_t extentOf(const HuggingFaceConfig& config, Extent extent) {
	switch (extent) {
	case One: return 1;
	case Embd: return config.n_embd;
	case Heads: return config.n_head * config.headDim();
	case KvHeads: return config.n_head_kv * config.headDim();
	case QkvFused: return (config.n_head + 2 * config.n_head_kv) * config.headDim();
	case HeadDim: return config.headDim();
	case FeedForward: return config.n_ff;
	case GateAndUp: return 2 * config.n_ff;
	case Vocab: return config.n_vocab;
	case Experts: return config.n_expert;
	}
	return 0;
}

std::span<const StoredName> modelNames() { return kModel; }
std::span<const StoredName> layerNames() { return kLayer; }

std::string plainName(std::string_view stored, bool bare) {
	std::string name(stored);
	if (bare && !name.starts_with("lm_head.")) name.insert(0, "model.");
	if (!replaceFront(name, "model.language_model.", "model.")) replaceFront(name, "language_model.", "");
	// Newer versions of mixtral call the block of experts as other families do.
	constexpr std::string_view kOldBlock = ".block_sparse_moe.";
	if (const size_t at = name.find(kOldBlock); at != name.npos) name.replace(at, kOldBlock.size(), ".mlp.");
	return name;
}

bool isLeftOut(std::string_view name) {
	constexpr std::array<std::string_view, 11> kEnds{".rotary_emb.inv_freq", ".masked_bias",      ".attention.bias", ".input_scale",
	                                                 "_input_scale",         ".input_scale_ub",   ".output_scale",   ".k_scale",
	                                                 ".v_scale",             ".activation_scale", "_activation_scale"};
	constexpr std::array<std::string_view, 6> kFronts{"vision_tower.", "model.vision_tower.",  "multi_modal_projector.", "model.multi_modal_projector.",
	                                                  "visual.",       "model.visual."};
	return std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return name.ends_with(end); }) ||
	       std::any_of(kFronts.begin(), kFronts.end(), [&](std::string_view front) { return name.starts_with(front); });
}

}  // namespace vkq
