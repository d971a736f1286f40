#include "planner/scratch.h"

#include "core/bytes.h"
#include "quant/device_layout.h"

#include <algorithm>
#include <array>

namespace vkq {

namespace {

constexpr uint32_t kSplitBatch = 8;          // steps of more tokens have work enough without splitting
constexpr uint32_t kCellsPerSplit = 256;
constexpr uint32_t kMostSplits = 16;
constexpr uint64_t kStepInputBytes = 16;     // shaders/shared/step.h

constexpr std::array<std::string_view, kScratchCount> kNames{
	"step input", "embedded", "rotation", "residual", "normed", "quantized input", "query", "key", "value", "attention output", "attention splits",
	"router logits", "expert choice", "expert tokens", "gate", "up", "down", "last rows", "logits", "handover"};

}  // namespace

std::string_view scratchName(ScratchId id) { return kNames[uint32_t(id)]; }

uint32_t attentionSplits(const Hyperparameters&, uint32_t batch, uint32_t context) {
	if (batch > kSplitBatch) return 1;
	return uint32_t(std::clamp<uint64_t>(divideUp(context, kCellsPerSplit), 1, kMostSplits));
}

std::vector<ScratchBuffer> scratchBuffers(const Hyperparameters& h, const StepShape& shape) {
	constexpr uint64_t kF32 = 4, kU32 = 4;
	const uint64_t batch = shape.batch;
	const uint64_t expert_rows = h.n_expert ? batch * h.n_expert_used : batch;
	const uint64_t n_ff = h.n_expert ? h.n_ff_expert : h.n_ff;
	const uint64_t widest = std::max({batch * h.n_embd, batch * h.n_embd_q(), expert_rows * n_ff});
	const uint64_t split_batch = std::min(shape.batch, kSplitBatch);
	const uint64_t splits = attentionSplits(h, uint32_t(split_batch), shape.context);
	const uint64_t logit_rows = shape.has_head ? std::min(shape.logit_rows, shape.batch) : 0;

	using enum ScratchId;
	const ScratchBuffer all[] = {
		{StepInput, kStepInputBytes, Step::Embed, Step::Head, true},
		{Embedded, batch * h.n_embd * kF32, Step::Embed, Step::Embed, true},
		{Rotation, (h.sliding_window ? 2 : 1) * batch * h.rope_dims * kF32, Step::Embed, Step::Head, true},
		{Residual, batch * h.n_embd * kF32, Step::Embed, Step::Head},
		{Normed, batch * h.n_embd * kF32, Step::AttentionNorm, h.post_norms ? Step::Sum : Step::GateUp},   // post norms: also holds what they normalize
		{Quantized, shape.float_inputs ? widest * kF32 : quantizedActivationBytes(alignUp(widest, 32), 1), Step::AttentionNorm, Step::Head},
		{Query, batch * (h.n_embd_q() + (h.fused_qkv ? 2ull * h.n_embd_kv() : 0)) * kF32, Step::Projections, Step::Attention},
		{Key, h.fused_qkv ? 0 : batch * h.n_embd_kv() * kF32, Step::Projections, Step::Append},
		{Value, h.fused_qkv ? 0 : batch * h.n_embd_kv() * kF32, Step::Projections, Step::Append},
		{AttentionOut, batch * h.n_embd_q() * kF32, Step::Attention, Step::Output},
		{AttentionSplits, splits > 1 ? splits * split_batch * h.n_head * (h.head_dim + 2ull) * kF32 : 0, Step::Attention, Step::Merge},
		{RouterLogits, batch * h.n_expert * kF32, Step::Route, Step::Route},
		{ExpertChoice, h.n_expert ? 2 * expert_rows * kU32 : 0, Step::Route, Step::Sum},
		{ExpertTokens, h.n_expert * (1 + batch) * kU32, Step::Route, Step::Down},
		{Gate, expert_rows * n_ff * (h.fused_gate_up ? 2 : 1) * kF32, Step::GateUp, Step::Activate},
		{Up, expert_rows * n_ff * kF32, Step::GateUp, Step::Down},
		{Down, h.n_expert ? expert_rows * h.n_embd * kF32 : 0, Step::Down, Step::Sum},
		{LastRows, logit_rows * h.n_embd * kF32, Step::FinalNorm, Step::Head},
		{Logits, logit_rows * h.n_vocab * kF32, Step::Head, Step::Head, true},
		{Handover, shape.has_head ? 0 : batch * h.n_embd * kF32, Step::Head, Step::Head, true},
	};
	std::vector<ScratchBuffer> buffers;
	std::copy_if(std::begin(all), std::end(all), std::back_inserter(buffers), [](const ScratchBuffer& buffer) { return buffer.bytes > 0; });
	return buffers;
}

}  // namespace vkq
