#include "infer/decode.h"

#include "kernels/activation.h"
#include "kernels/attention.h"
#include "kernels/moe_routing.h"
#include "kernels/norm.h"
#include "kernels/rotate_heads.h"
#include "planner/device_layout.h"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace vkq {

namespace {

/// A step while it is recorded: what every operation needs to know.
class Recording {
public:
	Recording(const StepRecorder& step, vk::CommandBuffer& commands, uint32_t tokens)
		: step_(step), h_(step.model), kernels_(step.kernels), device_(*step.kernels.device), commands_(commands), tokens_(tokens) {}

	Result<void> embed() {
		const Placement &from = place(ScratchId::Embedded), &to = place(ScratchId::Residual);
		commands_.copy(step_.allocation.buffer(from), from.offset, step_.allocation.buffer(to), to.offset, uint64_t(tokens_) * h_.n_embd * 4);
		commands_.barrier();
		return {};
	}

	Result<void> attention(uint32_t index, const LayerWeights& layer) {
		const uint32_t stride_q = h_.fused_qkv ? h_.n_embd_q() + 2 * h_.n_embd_kv() : h_.n_embd_q(), stride_kv = h_.fused_qkv ? stride_q : h_.n_embd_kv();
		const vk::BufferView query = scratch(ScratchId::Query), key = h_.fused_qkv ? query : scratch(ScratchId::Key), value = h_.fused_qkv ? query : scratch(ScratchId::Value);
		const Products projections = h_.fused_qkv ? Products{{&layer.qkv, {query}}} : Products{{&layer.q, {query}}, {&layer.k, {key}}, {&layer.v, {value}}};
		VKQ_CHECK(normed(layer.attn_norm, projections));
		VKQ_CHECK(observe({.input = ProductInput::Attention, .layer = index, .x = scratch(ScratchId::Normed), .columns = h_.n_embd, .slots = tokens_}));
		VKQ_CHECK(products(scratch(ScratchId::Normed), tokens_, projections));
		commands_.barrier();

		const bool slides = h_.slides(index);
		const auto keys = cachePieces(What::KCache, index, step_.cache.k_type), values = cachePieces(What::VCache, index, step_.cache.v_type);
		VKQ_CHECK(recordRotateHeads(device_, commands_, {
			.step_input = scratch(ScratchId::StepInput),
			.query = {query, stride_q, 0, layer.q_bias, layer.attn_q_norm, step_.cache.hadamard_k},
			.key = {key, stride_kv, h_.fused_qkv ? h_.n_embd_q() : 0, layer.k_bias, layer.attn_k_norm, step_.cache.hadamard_k},
			.value = {value, stride_kv, h_.fused_qkv ? h_.n_embd_q() + h_.n_embd_kv() : 0, layer.v_bias, {}, step_.cache.hadamard_v},
			.keys = keys, .values = values, .query_heads = h_.n_head, .head_dim = h_.head_dim, .tokens = tokens_, .norm_eps = h_.norm_eps,
			.rotation = scratch(ScratchId::Rotation), .rotation_offset = slides ? tokens_ * h_.rope_dims / 2 : 0, .rope_dims = h_.rope_dims,
			.half_split = h_.rope_style == RopeStyle::HalfSplit, .query_scale = h_.attention_scale}));
		commands_.barrier();

		const ActivationOutput mixed = outputFor(scratch(ScratchId::AttentionOut), {&layer.output});
		const Placement* splits = step_.allocation.scratch(step_.stage.device, ScratchId::AttentionSplits);
		VKQ_CHECK(recordAttention(device_, commands_, {.step_input = scratch(ScratchId::StepInput), .query = query, .query_stride = stride_q, .keys = keys, .values = values,
		                                               .output = step_.cache.hadamard_v ? ActivationOutput{mixed.floats} : mixed, .splits_buffer = splits ? step_.allocation.view(*splits) : vk::BufferView(),
		                                               .splits = splits ? attentionSplits(h_, tokens_, step_.context) : 1, .tokens = tokens_, .heads = h_.n_head,
		                                               .kv_heads = h_.n_head_kv, .head_dim = h_.head_dim, .window = slides ? h_.sliding_window : 0,
		                                               .softcap = h_.attention_softcap, .whole_vectors = kernels_.variant.stream}));
		commands_.barrier();
		if (step_.cache.hadamard_v) {
			VKQ_CHECK(recordHadamard(device_, commands_, mixed, h_.n_embd_q(), tokens_));
			commands_.barrier();
		}
		VKQ_CHECK(observe({.input = ProductInput::AttentionOutput, .layer = index, .x = mixed.floats, .columns = h_.n_embd_q(), .slots = tokens_}));
		return blockOutput(layer.output, mixed.floats, layer.post_attention_norm);
	}

	Result<void> feedForward(uint32_t index, const LayerWeights& layer) { return h_.n_expert ? experts(index, layer) : dense(index, layer); }

	Result<void> logits(uint32_t rows) {
		const vk::BufferView last = scratch(ScratchId::LastRows), out = scratch(ScratchId::Logits);
		VKQ_CHECK(recordNorm(device_, commands_, {.residual = scratch(ScratchId::Residual), .before = step_.weights.output_norm, .out = outputFor(last, {&step_.weights.head}, rows),
		                                          .columns = h_.n_embd, .first_row = tokens_ - rows, .rows = rows, .eps = h_.norm_eps}));
		commands_.barrier();
		VKQ_CHECK(products(last, rows, Products{{&step_.weights.head, {out}}}));
		if (h_.logit_softcap > 0) {
			commands_.barrier();
			VKQ_CHECK(recordSoftcap(device_, commands_, out, uint64_t(rows) * h_.n_vocab, h_.logit_softcap));
		}
		return {};
	}

	void handOver() {
		const Placement &from = place(ScratchId::Residual), &to = place(ScratchId::Handover);
		commands_.copy(step_.allocation.buffer(from), from.offset, step_.allocation.buffer(to), to.offset, uint64_t(tokens_) * h_.n_embd * 4);
	}

private:
	using Products = std::vector<Product>;

	Result<void> observe(const ObservedInput& input) {
		return step_.observer ? step_.observer->record(kernels_, commands_, input) : Result<void>();
	}

	Result<void> dense(uint32_t index, const LayerWeights& layer) {
		const vk::BufferView gate = scratch(ScratchId::Gate), up = scratch(ScratchId::Up);
		const Products hidden = h_.fused_gate_up ? Products{{&layer.up, {gate}}} : Products{{&layer.gate, {gate}}, {&layer.up, {up}}};
		VKQ_CHECK(normed(layer.ffn_norm, hidden));
		VKQ_CHECK(observe({.input = ProductInput::FeedForward, .layer = index, .x = scratch(ScratchId::Normed), .columns = h_.n_embd, .slots = tokens_}));
		VKQ_CHECK(products(scratch(ScratchId::Normed), tokens_, hidden));
		commands_.barrier();
		VKQ_CHECK(activate(layer.down, h_.n_ff, tokens_));
		commands_.barrier();
		VKQ_CHECK(observe({.input = ProductInput::Down, .layer = index, .x = up, .columns = h_.n_ff, .slots = tokens_}));
		return blockOutput(layer.down, up, layer.post_ffw_norm);
	}

	Result<void> experts(uint32_t index, const LayerWeights& layer) {
		const vk::BufferView normed_view = scratch(ScratchId::Normed), choice = scratch(ScratchId::ExpertChoice), up = scratch(ScratchId::Up);
		const MoeShape shape{tokens_, h_.n_expert, h_.n_expert_used, h_.norm_expert_weights};
		const ExpertRouting routing{choice, scratch(ScratchId::ExpertTokens), tokens_, h_.n_expert_used};
		const uint32_t slots = tokens_ * h_.n_expert_used;
		const Products router{{&layer.router, {scratch(ScratchId::RouterLogits)}}}, hidden{{&layer.gate_experts, {scratch(ScratchId::Gate)}}, {&layer.up_experts, {up}}};
		VKQ_CHECK(normed(layer.ffn_norm, {router[0], hidden[0], hidden[1]}));
		VKQ_CHECK(observe({.input = ProductInput::FeedForward, .layer = index, .x = normed_view, .columns = h_.n_embd, .slots = tokens_}));
		VKQ_CHECK(products(normed_view, tokens_, router));
		commands_.barrier();
		VKQ_CHECK(recordMoeRouting(device_, commands_, scratch(ScratchId::RouterLogits), choice, shape));
		commands_.barrier();
		if (needsExpertLists(tokens_)) {
			VKQ_CHECK(groupExperts(kernels_, commands_, routing, h_.n_expert));
			commands_.barrier();
		}
		VKQ_CHECK(observe({.input = ProductInput::Experts, .layer = index, .x = normed_view, .columns = h_.n_embd, .slots = slots, .slots_per_row = h_.n_expert_used,
		                   .chosen = choice, .experts = h_.n_expert}));
		VKQ_CHECK(forEachForm(normed_view, tokens_, hidden, [&](std::span<const Product> same_form, const Vectors& input) {
			return multiplyExperts(kernels_, commands_, same_form, routing, input, h_.n_expert_used);
		}));
		commands_.barrier();
		VKQ_CHECK(activate(layer.down_experts, h_.n_ff_expert, slots));
		commands_.barrier();
		VKQ_CHECK(observe({.input = ProductInput::ExpertsDown, .layer = index, .x = up, .columns = h_.n_ff_expert, .slots = slots, .chosen = choice, .experts = h_.n_expert}));
		VKQ_TRY(const Vectors activated, inForm(formOf(layer.down_experts, tokens_), up, h_.n_ff_expert, slots));
		VKQ_CHECK(multiplyExperts(kernels_, commands_, Product{&layer.down_experts, {scratch(ScratchId::Down)}}, routing, activated, 1));
		commands_.barrier();
		VKQ_CHECK(recordMoeCombine(device_, commands_, scratch(ScratchId::Down), choice, scratch(ScratchId::Residual), h_.n_embd, shape, true));
		commands_.barrier();
		return {};
	}

	/// Residual -> Normed, for `readers`.
	Result<void> normed(const vk::BufferView& weight, const Products& readers) {
		std::vector<const Matrix*> matrices;
		for (const Product& product : readers) matrices.push_back(product.matrix);
		VKQ_CHECK(recordNorm(device_, commands_, {.residual = scratch(ScratchId::Residual), .before = weight, .out = outputFor(scratch(ScratchId::Normed), matrices),
		                                          .columns = h_.n_embd, .rows = tokens_, .eps = h_.norm_eps}));
		commands_.barrier();
		return {};
	}

	/// Gate and Up, or the halves of fused rows -> Up, for `reader`.
	Result<void> activate(const Matrix& reader, uint32_t n_ff, uint32_t rows) {
		const vk::BufferView gate = scratch(ScratchId::Gate), up = scratch(ScratchId::Up);
		const bool fused = h_.fused_gate_up;
		return recordGatedActivation(device_, commands_, {gate, fused ? gate : up, outputFor(up, {&reader}), n_ff, rows, fused ? 2 * n_ff : n_ff, fused ? 2 * n_ff : n_ff, fused ? n_ff : 0, n_ff,
		                                                  h_.activation == Activation::GeluTanh});
	}

	/// A block's last product, added to the residual; where the family normalizes it before, by way of Normed.
	Result<void> blockOutput(const Matrix& matrix, const vk::BufferView& x, const vk::BufferView& post_norm) {
		const vk::BufferView residual = scratch(ScratchId::Residual), normed_view = scratch(ScratchId::Normed);
		VKQ_CHECK(products(x, tokens_, Products{{&matrix, {h_.post_norms ? normed_view : residual}, !h_.post_norms}}));
		commands_.barrier();
		if (!h_.post_norms) return {};
		VKQ_CHECK(recordNorm(device_, commands_, {.residual = residual, .block_out = normed_view, .after = post_norm, .columns = h_.n_embd, .rows = tokens_, .eps = h_.norm_eps}));
		commands_.barrier();
		return {};
	}

	/// What a matrix multiplies: floats as they are, rounded floats, or 8 bits. A step has 8 bits or rounded floats, not both.
	struct InputForm {
		bool integer = false;
		ActivationRounding rounding = ActivationRounding::None;
		bool operator==(const InputForm&) const = default;
	};
	InputForm formOf(const Matrix& matrix, uint32_t count) const {
		return {usesIntegerProduct(kernels_, matrix.type, count), step_.reference_inputs ? referenceRounding(matrix.type) : ActivationRounding::None};
	}

	/// Where the kernel that makes x [count][...] is to put it: in 8 bits at once for those matrices that want it so, as floats for whoever reads these.
	ActivationOutput outputFor(const vk::BufferView& x, const std::vector<const Matrix*>& readers, uint32_t count) const {
		ActivationOutput output{.floats = x, .packed_bytes = kernels_.variant.dot, .floats_wanted = step_.observer != nullptr};
		for (const Matrix* matrix : readers) {
			if (formOf(*matrix, count).integer) output.quantized = scratch(ScratchId::Quantized);
			else output.floats_wanted = true;
		}
		return output;
	}
	ActivationOutput outputFor(const vk::BufferView& x, const std::vector<const Matrix*>& readers) const { return outputFor(x, readers, tokens_); }

	/// The input in a matrix's form, complete behind a barrier: 8 bits are there since x was made (outputFor()), rounded floats are made now.
	Result<Vectors> inForm(const InputForm& form, const vk::BufferView& x, uint32_t columns, uint32_t count) {
		if (form.rounding == ActivationRounding::None && !form.integer) return Vectors{x};
		const Vectors copy{scratch(ScratchId::Quantized), 0, form.integer};
		if (form.integer) return copy;
		VKQ_CHECK(roundActivations(kernels_, commands_, form.rounding, {x}, columns, count, copy.view));
		commands_.barrier();
		return copy;
	}

	/// Calls multiply_by(products, input) for the products of each form. These share its copy; the scratch holds one copy at a time.
	template <class MultiplyBy>
	Result<void> forEachForm(const vk::BufferView& x, uint32_t count, const Products& wanted, const MultiplyBy& multiply_by) {
		std::vector<InputForm> done;
		for (const Product& product : wanted) {
			const InputForm form = formOf(*product.matrix, count);
			if (std::find(done.begin(), done.end(), form) != done.end()) continue;
			const auto copied = [](const InputForm& other) { return other.rounding != ActivationRounding::None; };
			if (copied(form) && std::any_of(done.begin(), done.end(), copied)) commands_.barrier();
			done.push_back(form);
			Products same_form;
			std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(same_form), [&](const Product& other) { return formOf(*other.matrix, count) == form; });
			VKQ_TRY(const Vectors input, inForm(form, x, product.matrix->columns, count));
			VKQ_CHECK(multiply_by(same_form, input));
		}
		return {};
	}

	Result<void> products(const vk::BufferView& x, uint32_t count, const Products& wanted) {
		return forEachForm(x, count, wanted, [&](std::span<const Product> same_form, const Vectors& input) { return multiply(kernels_, commands_, same_form, input, count); });
	}

	std::vector<CachePiece> cachePieces(What what, uint32_t layer, TensorType type) const {
		std::vector<CachePiece> pieces;
		const uint32_t cells = uint32_t(cacheCells(step_.context, step_.batch, h_.slides(layer) ? h_.sliding_window : 0));
		for (const Placement* placement : findPlacements(step_.allocation.plan(), what, layer)) {
			pieces.push_back({step_.allocation.view(*placement), type, uint32_t(placement->first), uint32_t(placement->count), cells});
		}
		return pieces;
	}

	const Placement& place(ScratchId id) const {
		const Placement* placement = step_.allocation.scratch(step_.stage.device, id);
		assert(placement);
		return *placement;
	}
	vk::BufferView scratch(ScratchId id) const { return step_.allocation.view(place(id)); }

	const StepRecorder& step_;
	const Hyperparameters& h_;
	const Kernels& kernels_;
	vk::Device& device_;
	vk::CommandBuffer& commands_;
	uint32_t tokens_;
};

}  // namespace

std::vector<Stage> stagesOf(const Plan& plan) {
	std::vector<Stage> stages;
	for (const LayerRange& range : plan.layers) stages.push_back({range.device, range.first, range.count, false});
	if (stages.empty() || stages.back().device != plan.output_device) {
		const uint32_t next = stages.empty() ? 0 : stages.back().first_layer + stages.back().layers;
		stages.push_back({plan.output_device, next, 0, false});
	}
	stages.back().has_head = true;
	return stages;
}

Result<void> StepRecorder::record(vk::CommandBuffer& commands, uint32_t tokens, uint32_t logit_rows) const {
	assert(tokens > 0 && tokens <= batch && logit_rows <= tokens);
	Recording recording(*this, commands, tokens);
	VKQ_CHECK(recording.embed());
	for (uint32_t i = stage.first_layer; i < stage.first_layer + stage.layers; ++i) {
		VKQ_CHECK(recording.attention(i, weights.layers[i]));
		VKQ_CHECK(recording.feedForward(i, weights.layers[i]));
	}
	if (!stage.has_head) recording.handOver();
	else if (logit_rows > 0) VKQ_CHECK(recording.logits(logit_rows));
	return {};
}

}  // namespace vkq
