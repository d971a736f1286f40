#include "planner/llama_cpp_step.h"

#include "core/bytes.h"

#include <algorithm>

namespace vkq {

namespace {

constexpr uint32_t kContextStep = 256;
constexpr uint64_t kF32 = 4, kI32 = 4, kI64 = 8, kF16 = 2;
constexpr uint32_t kRotation = 64;           // elements that are rotated together before they go into a quantized cache
constexpr uint32_t kPipelineCopies = 4;      // of what goes from device to device, when there are several

using enum GraphOp;

}  // namespace

uint64_t llamaCppCells(uint64_t context) { return alignUp(context, kContextStep); }

uint64_t llamaCppWindowCells(const Hyperparameters& h, uint64_t context, uint64_t batch) {
	return llamaCppCells(std::min(context, uint64_t(h.sliding_window) + batch));
}

LlamaCppStep::LlamaCppStep(const Hyperparameters& h, uint64_t tokens, uint64_t cells, const LlamaCppRun& run, std::span<const uint32_t> device_of)
	: h_(h), tokens_(tokens) {
	const uint64_t width = floats(h.n_embd);
	graph_.on(device_of.front());
	// A path for embeddings from outside, which is listed but not taken.
	const Id outside = graph_.input(width), mixed = graph_.input(width), slots = graph_.input(tokens * kI64);
	const Id copied = graph_.result(Copy, width, {outside});
	graph_.write(copied, {mixed, slots, copied});

	residual_ = graph_.input(width);
	const Id scales = h.arch == Architecture::Gemma3 ? graph_.input(tokens * kF32) : kNoGraphId;
	positions_ = graph_.input(tokens * kI32);
	full_ = cacheInputs(run, cells);
	sliding_ = h.sliding_window ? cacheInputs(run, llamaCppWindowCells(h, cells, tokens)) : full_;
	wanted_ = graph_.input(tokens * kI32);

	if (scales != kNoGraphId) residual_ = op(Multiply, h.n_embd, {residual_, scales});
	else if (h.embedding_scale != 1.0f) residual_ = op(Scale, h.n_embd, {residual_});
	for (uint32_t layer = 0; layer < h.n_layer; ++layer) addLayer(layer, device_of[layer]);
	Id logits = op(Product, h.n_vocab, {normOn(device_of[h.n_layer])});
	if (h.logit_softcap > 0) for (const GraphOp part : {Scale, Tanh, Scale}) logits = op(part, h.n_vocab, {logits});
}

std::vector<uint64_t> LlamaCppStep::bytes(uint32_t devices) const {
	return graph_.measure(devices, kLlamaCppAlignment, devices > 1 ? kPipelineCopies : 1);
}

LlamaCppStep::CacheInputs LlamaCppStep::cacheInputs(const LlamaCppRun& run, uint64_t cells) {
	const auto rotation = [&](TensorType cache, uint64_t size) {
		return typeInfo(cache).quantized && h_.head_dim % kRotation == 0 ? graph_.input(size * size * kF32) : kNoGraphId;
	};
	const uint64_t k_size = std::max<uint64_t>(kRotation, h_.head_dim & -h_.head_dim);   // keys: the largest power of two that divides a head
	const Id k = graph_.input(tokens_ * kI64), v = graph_.input(tokens_ * kI64);
	return {k, v, graph_.input(tokens_ * cells * kF16), rotation(run.k_type, k_size), rotation(run.v_type, kRotation)};
}

GraphId LlamaCppStep::project(Id x, uint64_t elements) {
	const Id product = op(Product, elements, {x});
	return graph_.view(h_.qkv_bias ? op(Add, elements, {product}) : product);
}

GraphId LlamaCppStep::rotate(Id x, uint64_t elements, Id rotation) {
	return rotation == kNoGraphId ? x : graph_.view(op(Product, elements, {rotation, graph_.view(x)}));
}

GraphId LlamaCppStep::query(Id x, Id rotation) {
	const uint64_t width = h_.n_embd_q();
	Id q = project(x, width);
	if (h_.qk_norm) q = norm(width, q);
	q = op(Rope, width, {q, positions_});
	if (h_.post_norms) q = op(Scale, width, {q});
	return rotate(q, width, rotation);
}

GraphId LlamaCppStep::key(Id x, Id rotation) {
	const uint64_t width = h_.n_embd_kv();
	Id k = project(x, width);
	if (h_.qk_norm) k = norm(width, k);
	return rotate(op(Rope, width, {k, positions_}), width, rotation);
}

GraphId LlamaCppStep::value(Id x, Id rotation) { return rotate(project(x, h_.n_embd_kv()), h_.n_embd_kv(), rotation); }

GraphId LlamaCppStep::attention(Id x, const CacheInputs& cache) {
	const uint64_t q_width = h_.n_embd_q(), kv_width = h_.n_embd_kv();
	Id q, k, v;
	if (h_.fused_qkv) {
		const Id qkv = op(Product, q_width + 2 * kv_width, {x});
		q = op(Scale, q_width, {op(Rope, q_width, {graph_.view(qkv, false), positions_})});
		q = rotate(q, q_width, cache.k_rotation);
		v = rotate(graph_.view(qkv, false), kv_width, cache.v_rotation);
		k = rotate(op(Rope, kv_width, {graph_.view(qkv, false), positions_}), kv_width, cache.k_rotation);
	} else {
		q = query(x, cache.k_rotation);
		if (!h_.post_norms) v = value(x, cache.v_rotation);
		k = key(x, cache.k_rotation);
		if (h_.post_norms) v = value(x, cache.v_rotation);
	}
	const Id k_cache = graph_.external(), v_cache = graph_.external();
	graph_.write(k_cache, {graph_.view(k), cache.k_rows, k_cache});
	graph_.write(v_cache, {graph_.view(v), cache.v_rows, v_cache});
	const Id queries = graph_.view(graph_.view(q)), keys = graph_.view(graph_.view(k_cache)), values = graph_.view(graph_.view(v_cache));
	const Id mixed = graph_.view(op(Attention, q_width, {queries, keys, values, cache.mask}));
	return op(Product, h_.n_embd, {rotate(mixed, q_width, cache.v_rotation)});
}

GraphId LlamaCppStep::feedForward(Id x) {
	const Id gate = op(Product, h_.fused_gate_up ? 2ull * h_.n_ff : h_.n_ff, {x});
	const Id gated = h_.fused_gate_up ? op(Gated, h_.n_ff, {gate}) : op(Gated, h_.n_ff, {gate, op(Product, h_.n_ff, {x})});
	return op(Product, h_.n_embd, {gated});
}

GraphId LlamaCppStep::experts(Id x) {
	const uint64_t used = h_.n_expert_used, hidden = used * h_.n_ff_expert, out = used * h_.n_embd;
	const Id scores = op(Product, h_.n_expert, {x});
	const Id probabilities = op(Softmax, h_.n_expert, {scores});
	const Id rows = graph_.view(probabilities);
	const Id chosen = graph_.view(op(Sort, h_.n_expert, {probabilities}), false);
	Id weights = op(GetRows, used, {rows, chosen});
	if (h_.norm_expert_weights) {
		const Id flat = graph_.view(weights);
		const Id sum = op(Clamp, 1, {op(SumRows, 1, {flat})});
		weights = graph_.view(op(Divide, used, {flat, sum}));
	}
	graph_.hold(scores, weights);   // one kernel there, which reads them to the end
	const Id tokens = graph_.view(x);
	const Id gate = op(ExpertProduct, hidden, {tokens, chosen});
	const Id up = op(ExpertProduct, hidden, {tokens, chosen});
	const Id weighted = op(Multiply, out, {op(ExpertProduct, out, {op(Gated, hidden, {gate, up}), chosen}), weights});
	std::vector<Id> parts;
	for (uint64_t i = 0; i < used; ++i) parts.push_back(graph_.view(weighted, false));
	Id sum = parts.front();
	for (uint64_t i = 1; i < used; ++i) sum = op(Add, h_.n_embd, {sum, parts[i]});
	return sum;
}

GraphId LlamaCppStep::normOn(uint32_t device) {
	const Id normed = op(RmsNorm, h_.n_embd, {residual_});
	graph_.on(device);
	return op(Multiply, h_.n_embd, {normed});
}

void LlamaCppStep::addLayer(uint32_t layer, uint32_t device) {
	Id x = attention(normOn(device), h_.slides(layer) ? sliding_ : full_);
	// Behind the last attention only the rows whose logits are wanted go on: all, for sizing.
	const bool last = layer + 1 == h_.n_layer;
	if (last) x = op(GetRows, h_.n_embd, {x, wanted_});
	if (h_.post_norms) x = norm(h_.n_embd, x);
	if (last) residual_ = op(GetRows, h_.n_embd, {residual_, wanted_});
	residual_ = op(Add, h_.n_embd, {x, residual_});
	x = norm(h_.n_embd, residual_);
	x = h_.n_expert ? experts(x) : feedForward(x);
	if (h_.post_norms) x = norm(h_.n_embd, x);
	// Phi-3 adds the other way round, and so takes the place of the stream.
	residual_ = h_.fused_qkv ? op(Add, h_.n_embd, {residual_, x}) : op(Add, h_.n_embd, {x, residual_});
}

}  // namespace vkq
