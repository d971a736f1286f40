#include "planner/llama_cpp.h"

#include "core/bytes.h"
#include "planner/graph_memory.h"

#include <algorithm>

namespace vkq {

namespace {

constexpr uint32_t kContextStep = 256;       // cells of a cache are a multiple of this
constexpr uint64_t kF32 = 4, kI32 = 4, kI64 = 8, kF16 = 2;
constexpr uint64_t kAlignment = 16;          // bytes; of tensors within its buffers
constexpr uint32_t kRotation = 64;           // quantized caches are rotated in groups of as many elements

uint64_t paddedContext(uint64_t context) { return alignUp(context, kContextStep); }

uint64_t windowCells(const Hyperparameters& h, uint64_t context, uint64_t batch) {
	return paddedContext(std::min(context, uint64_t(h.sliding_window) + batch));
}

/// The graph of one step of `tokens` tokens in the order in which that runtime lists it.
class StepGraph {
public:
	StepGraph(const Hyperparameters& h, uint64_t tokens, uint64_t cells, const LlamaCppRun& run) : h_(h), tokens_(tokens) {
		const uint64_t width = floats(h.n_embd);
		// Inputs are copied to the device together, those of a path for mixed embeddings included, which is never taken: what it
		// would read and write stays allocated.
		const Id mixed = graph_.input(width);
		graph_.keep(graph_.input(width));
		graph_.keep(graph_.input(tokens * kI64));
		residual_ = graph_.input(width);
		const bool scale_rows = h.arch == Architecture::Gemma3;
		const Id scales = scale_rows ? graph_.input(tokens * kF32) : 0;
		positions_ = graph_.input(tokens * kI32);
		rotated_ = h.head_dim % kRotation == 0;
		k_rotated_ = rotated_ && typeInfo(run.k_type).quantized;
		v_rotated_ = rotated_ && typeInfo(run.v_type).quantized;
		if (k_rotated_) k_rotation_ = graph_.input(kRotation * kRotation * kF32);
		if (v_rotated_) v_rotation_ = graph_.input(kRotation * kRotation * kF32);
		full_ = cacheInputs(cells);
		sliding_ = h.sliding_window ? cacheInputs(windowCells(h, cells, tokens)) : full_;
		wanted_ = graph_.input(tokens * kI32);
		graph_.keep(graph_.result(width, {mixed}));

		if (scale_rows) residual_ = graph_.inPlace(width, {residual_, scales});
		else if (h.embedding_scale != 1.0f) residual_ = graph_.inPlace(width, {residual_});
		for (uint32_t layer = 0; layer < h.n_layer; ++layer) addLayer(layer);

		Id logits = graph_.result(floats(h.n_vocab), {norm(h.n_embd, residual_)});
		if (h.logit_softcap > 0) for (int i = 0; i < 3; ++i) logits = graph_.inPlace(floats(h.n_vocab), {logits});   // scale, tanh, scale
	}

	uint64_t bytes() const { return graph_.measure(kAlignment); }

private:
	using Id = GraphMemory::Id;
	struct CacheInputs { Id k_rows, v_rows, mask; };

	uint64_t floats(uint64_t elements) const { return tokens_ * elements * kF32; }

	CacheInputs cacheInputs(uint64_t cells) {
		const Id k = graph_.input(tokens_ * kI64), v = graph_.input(tokens_ * kI64);
		return {k, v, graph_.input(tokens_ * cells * kF16)};
	}

	Id norm(uint64_t elements, Id x) { return graph_.inPlace(floats(elements), {graph_.inPlace(floats(elements), {x})}); }   // normalize, multiply

	Id project(Id x, uint64_t elements) {
		const Id product = graph_.result(floats(elements), {x});
		return h_.qkv_bias ? graph_.result(floats(elements), {product}) : product;
	}

	Id query(Id x) {
		Id q = project(x, h_.n_embd_q());
		if (h_.qk_norm) q = norm(h_.n_embd_q(), q);
		return turn(q, h_.n_embd_q());
	}

	/// RoPE, and what follows it for a query.
	Id turn(Id x, uint64_t elements) { return graph_.inPlace(floats(elements), {x, positions_}); }

	Id rotate(Id x, uint64_t elements, bool wanted, Id rotation) { return wanted ? graph_.result(floats(elements), {rotation, x}) : x; }

	Id attention(Id x, const CacheInputs& cache) {
		const uint64_t q_width = h_.n_embd_q(), kv_width = h_.n_embd_kv();
		const bool gemma = h_.post_norms;
		Id q, k, v;
		if (h_.fused_qkv) {
			const Id qkv = graph_.result(floats(q_width + 2 * kv_width), {x});
			q = graph_.result(floats(q_width), {qkv, positions_});
			k = graph_.result(floats(kv_width), {qkv, positions_});
			v = qkv;
		} else {
			q = query(x);
			if (gemma) q = graph_.inPlace(floats(q_width), {q});   // scaled
			q = rotate(q, q_width, k_rotated_, k_rotation_);
			if (!gemma) v = rotate(project(x, kv_width), kv_width, v_rotated_, v_rotation_);
			k = project(x, kv_width);
			if (h_.qk_norm) k = norm(kv_width, k);
			k = rotate(turn(k, kv_width), kv_width, k_rotated_, k_rotation_);
			if (gemma) v = rotate(project(x, kv_width), kv_width, v_rotated_, v_rotation_);
		}
		graph_.sink({k, cache.k_rows});
		graph_.sink({v, cache.v_rows});
		const Id mixed = rotate(graph_.result(floats(q_width), {q, cache.mask}), q_width, v_rotated_, v_rotation_);
		return graph_.result(floats(h_.n_embd), {mixed});
	}

	Id feedForward(Id x) {
		const Id gate = graph_.result(floats(h_.fused_gate_up ? 2ull * h_.n_ff : h_.n_ff), {x});
		if (h_.fused_gate_up) return graph_.result(floats(h_.n_embd), {graph_.result(floats(h_.n_ff), {gate})});
		const Id up = graph_.result(floats(h_.n_ff), {x});
		return graph_.result(floats(h_.n_embd), {graph_.result(floats(h_.n_ff), {gate, up})});
	}

	Id experts(Id x) {
		const uint64_t used = h_.n_expert_used, all = floats(h_.n_expert), hidden = floats(used * h_.n_ff_expert), out = floats(used * h_.n_embd);
		const Id probabilities = graph_.inPlace(all, {graph_.result(all, {x})});
		const Id order = graph_.result(all, {probabilities});
		Id weights = graph_.result(floats(used), {probabilities, order});
		if (h_.norm_expert_weights) {
			const Id sum = graph_.result(floats(1), {graph_.result(floats(1), {weights})});
			weights = graph_.result(floats(used), {weights, sum});
		}
		const Id gate = graph_.result(hidden, {x, order});
		const Id up = graph_.result(hidden, {x, order});
		const Id down = graph_.result(out, {graph_.result(hidden, {gate, up}), order});
		const Id weighted = graph_.inPlace(out, {down, weights});
		Id sum = graph_.result(floats(h_.n_embd), {weighted});
		for (uint64_t i = 2; i < used; ++i) sum = graph_.result(floats(h_.n_embd), {sum, weighted});
		return sum;
	}

	void addLayer(uint32_t layer) {
		const uint64_t width = floats(h_.n_embd);
		Id x = attention(norm(h_.n_embd, residual_), h_.slides(layer) ? sliding_ : full_);
		if (layer + 1 == h_.n_layer) {   // from here on only the rows whose logits are wanted: all, for sizing
			const Id kept = graph_.result(width, {residual_, wanted_});
			x = graph_.result(width, {x, wanted_});
			residual_ = kept;
		}
		if (h_.post_norms) x = norm(h_.n_embd, x);
		residual_ = graph_.result(width, {x, residual_});
		x = norm(h_.n_embd, residual_);
		x = h_.n_expert ? experts(x) : feedForward(x);
		if (h_.post_norms) x = norm(h_.n_embd, x);
		residual_ = graph_.result(width, {x, residual_});
	}

	const Hyperparameters& h_;
	uint64_t tokens_;
	GraphMemory graph_;
	Id residual_ = 0, positions_ = 0, wanted_ = 0, k_rotation_ = 0, v_rotation_ = 0;
	bool rotated_ = false, k_rotated_ = false, v_rotated_ = false;
	CacheInputs full_{}, sliding_{};
};

}  // namespace

LlamaCppMemory llamaCppMemory(const Hyperparameters& h, std::span<const TensorInfo> tensors, const LlamaCppRun& run) {
	LlamaCppMemory memory;
	const uint64_t context = paddedContext(run.context), batch = std::min<uint64_t>(run.batch, context);
	for (const TensorInfo& tensor : tensors) {
		const bool embedding = tensor.name == "token_embd.weight";
		if (embedding) memory.host_weights += tensor.bytes;
		if (!embedding || h.tied_embeddings) memory.weights += alignUp(tensor.bytes, kAlignment);
	}
	const uint64_t row = typeBytes(run.k_type, h.n_embd_kv()).value_or(0) + typeBytes(run.v_type, h.n_embd_kv()).value_or(0);
	for (uint32_t layer = 0; layer < h.n_layer; ++layer) memory.cache += row * (h.slides(layer) ? windowCells(h, context, batch) : context);
	memory.compute = StepGraph(h, batch, context, run).bytes();
	memory.host_output = uint64_t(h.n_vocab) * kF32;
	return memory;
}

uint32_t llamaCppLargestContext(const Hyperparameters& h, std::span<const TensorInfo> tensors, LlamaCppRun run, uint64_t available, uint32_t most) {
	const auto fits = [&](uint32_t context) {
		run.context = context;
		return llamaCppMemory(h, tensors, run).deviceBytes() <= available;
	};
	uint32_t least = 0, top = uint32_t(divideUp(most, kContextStep));
	while (least < top) {
		const uint32_t middle = top - (top - least) / 2;
		if (fits(middle * kContextStep)) least = middle;
		else top = middle - 1;
	}
	return std::min(least * kContextStep, most);
}

}  // namespace vkq
