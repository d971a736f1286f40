// The scratch buffers of one step (a batch of tokens through all layers): what they hold, how large they are, and from which
// operation to which they live. solve() overlays those that are never alive together; the runtime binds them by id.
#pragma once

#include "arch/model.h"

#include <cstdint>
#include <vector>

namespace vkq {

enum class ScratchId : uint32_t {
	StepInput,       // shaders/shared/step.h, host-visible: which positions this step's tokens have
	Embedded,        // f32 [batch][n_embd], host-visible: what enters the first layer (embeddings, or the previous device's residual)
	Rotation,        // f32 [1 or 2][batch][rope_dims / 2][2], host-visible: cosine and sine of each pair; the second table is the sliding layers'
	Residual,        // f32 [batch][n_embd]: the stream, alive throughout
	Normed,          // f32 [batch][n_embd]: input of the products
	Quantized,       // the same products' input in 8 bits: quantizedActivationBytes() of quant/device_layout.h; with float_inputs, f32 of the widest
	Query,           // f32 [batch][n_embd_q]; of a fused projection [batch][n_embd_q + 2 n_embd_kv], then Key and Value are empty
	Key,             // f32 [batch][n_embd_kv]
	Value,           // f32 [batch][n_embd_kv]
	AttentionOut,    // f32 [batch][n_embd_q]
	AttentionSplits, // f32 [splits][batch][n_head][head_dim + 2]: partial results with their maximum and sum
	RouterLogits,    // f32 [batch][n_expert]
	ExpertChoice,    // u32 and f32 [batch][n_expert_used]: which, and with what weight
	ExpertTokens,    // u32 [n_expert][1 + batch]: how many tokens chose the expert, then their slots (token * n_expert_used + place)
	Gate,            // f32 [rows][n_ff]; rows = batch, or batch * n_expert_used. Fused with up: [rows][2 n_ff]
	Up,              // f32 [rows][n_ff]; then activation(gate) * up
	Down,            // f32 [batch][n_expert_used][n_embd] before the experts are summed; dense models add in place
	LastRows,        // f32 [logit_rows][n_embd]: the rows whose logits are wanted
	Logits,          // f32 [logit_rows][n_vocab], host-visible
	Handover,        // f32 [batch][n_embd], host-visible: the residual on its way to the next device
};
constexpr uint32_t kScratchCount = uint32_t(ScratchId::Handover) + 1;

std::string_view scratchName(ScratchId id);

/// The operations of a step in order; a buffer is alive from the first that writes it to the last that reads it.
enum class Step : uint32_t { Embed, AttentionNorm, Projections, Rope, Append, Attention, Merge, Output, FeedForwardNorm, Route, GateUp, Activate, Down, Sum, FinalNorm, Head };

struct ScratchBuffer {
	ScratchId id;
	uint64_t bytes;
	Step first, last;
	bool host_visible = false;
};

struct StepShape {
	uint32_t batch = 512;            // tokens
	uint32_t logit_rows = 1;
	uint32_t context = 4096;         // tokens: decides how far attention is split
	bool has_head = true;            // the device with the output matrix; others hand the residual on
	bool float_inputs = false;       // Quantized holds single precision: inputs rounded, but not packed
};

/// Only buffers with a size > 0.
std::vector<ScratchBuffer> scratchBuffers(const Hyperparameters& model, const StepShape& shape);

/// Into how many parts attention over `context` cells is split for `batch` tokens: a function of the shape alone, so that the plan
/// and the dispatch agree. 1: not split.
uint32_t attentionSplits(const Hyperparameters& model, uint32_t batch, uint32_t context);

}  // namespace vkq
