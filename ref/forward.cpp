#include "ref/forward.h"

#include "arch/rope.h"
#include "quant/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace vkq::ref {

namespace {

using Vector = std::vector<float>;

/// Row `row` of a [x.size(), rows] matrix times x.
float product(const Vector& matrix, size_t row, std::span<const float> x) {
	const float* w = matrix.data() + row * x.size();
	double sum = 0;
	for (size_t i = 0; i < x.size(); ++i) sum += double(w[i]) * x[i];
	return float(sum);
}

Vector products(const Vector& matrix, size_t first_row, size_t rows, std::span<const float> x) {
	Vector y(rows);
	for (size_t i = 0; i < rows; ++i) y[i] = product(matrix, first_row + i, x);
	return y;
}

void add(std::span<float> x, std::span<const float> y) {
	for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
}

void normalize(std::span<float> x, const Vector& weight, float eps) {
	double squares = 0;
	for (float v : x) squares += double(v) * v;
	const double scale = 1.0 / std::sqrt(squares / double(x.size()) + eps);
	for (size_t i = 0; i < x.size(); ++i) x[i] = float(x[i] * scale * weight[i]);
}

void rotate(std::span<float> head, const RopeFrequencies& rope, RopeStyle style, uint32_t position) {
	const size_t pairs = rope.frequency.size();
	for (size_t i = 0; i < pairs; ++i) {
		float& a = head[style == RopeStyle::Interleaved ? 2 * i : i];
		float& b = head[style == RopeStyle::Interleaved ? 2 * i + 1 : i + pairs];
		const double c = std::cos(position * rope.frequency[i]) * rope.magnitude, s = std::sin(position * rope.frequency[i]) * rope.magnitude;
		const double was_a = a, was_b = b;
		a = float(was_a * c - was_b * s);
		b = float(was_a * s + was_b * c);
	}
}

double activate(double x, Activation activation) {
	if (activation == Activation::Silu) return x / (1.0 + std::exp(-x));
	return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
}

double softcap(double x, double cap) { return cap > 0 ? cap * std::tanh(x / cap) : x; }

void softmax(std::vector<double>& scores) {
	const double most = *std::max_element(scores.begin(), scores.end());
	double sum = 0;
	for (double& s : scores) sum += s = std::exp(s - most);
	for (double& s : scores) s /= sum;
}

/// One layer of one token.
class Layer {
public:
	Layer(const Model& model, uint32_t layer) : model_(model), h_(model.h), layer_(layer) {}

	Vector attention(Vector x, Cache& cache, uint32_t position, const RopeFrequencies& rope) const {
		normalize(x, weight("attn_norm.weight"), h_.norm_eps);
		Vector q = projection("attn_q", 0, h_.n_embd_q(), x), k = projection("attn_k", h_.n_embd_q(), h_.n_embd_kv(), x);
		const Vector v = projection("attn_v", h_.n_embd_q() + h_.n_embd_kv(), h_.n_embd_kv(), x);
		for (uint32_t head = 0; head < h_.n_head; ++head) prepare(headOf(q, head), "attn_q_norm.weight", rope, position);
		for (uint32_t head = 0; head < h_.n_head_kv; ++head) prepare(headOf(k, head), "attn_k_norm.weight", rope, position);
		Vector& keys = cache.keys[layer_];
		Vector& values = cache.values[layer_];
		keys.insert(keys.end(), k.begin(), k.end());
		values.insert(values.end(), v.begin(), v.end());

		const uint32_t first = h_.slides(layer_) && position + 1 > h_.sliding_window ? position + 1 - h_.sliding_window : 0;
		Vector mixed(h_.n_embd_q(), 0.0f);
		for (uint32_t head = 0; head < h_.n_head; ++head) {
			const size_t kv_offset = size_t(head / (h_.n_head / h_.n_head_kv)) * h_.head_dim;
			std::vector<double> scores;
			for (uint32_t t = first; t <= position; ++t) {
				const float* key = keys.data() + size_t(t) * h_.n_embd_kv() + kv_offset;
				const double dot = std::inner_product(key, key + h_.head_dim, headOf(q, head).begin(), 0.0);
				scores.push_back(softcap(dot * h_.attention_scale, h_.attention_softcap));
			}
			softmax(scores);
			for (uint32_t i = 0; i < h_.head_dim; ++i) {
				double sum = 0;
				for (uint32_t t = first; t <= position; ++t) sum += scores[t - first] * values[size_t(t) * h_.n_embd_kv() + kv_offset + i];
				mixed[size_t(head) * h_.head_dim + i] = float(sum);
			}
		}
		Vector out = products(weight("attn_output.weight"), 0, h_.n_embd, mixed);
		if (h_.post_norms) normalize(out, weight("post_attention_norm.weight"), h_.norm_eps);
		return out;
	}

	Vector feedForward(Vector x) const {
		normalize(x, weight("ffn_norm.weight"), h_.norm_eps);
		Vector out = h_.n_expert ? experts(x) : dense(x);
		if (h_.post_norms) normalize(out, weight("post_ffw_norm.weight"), h_.norm_eps);
		return out;
	}

private:
	Vector dense(const Vector& x) const {
		const Vector& up = weight("ffn_up.weight");
		const Vector& gate = h_.fused_gate_up ? up : weight("ffn_gate.weight");
		return gated(gate, 0, up, h_.fused_gate_up ? h_.n_ff : 0, weight("ffn_down.weight"), 0, h_.n_ff, x);
	}

	Vector experts(const Vector& x) const {
		const Vector logits = products(weight("ffn_gate_inp.weight"), 0, h_.n_expert, x);
		std::vector<double> probability(logits.begin(), logits.end());
		softmax(probability);
		std::vector<uint32_t> order(h_.n_expert);
		std::iota(order.begin(), order.end(), 0u);
		std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return probability[a] > probability[b]; });
		order.resize(h_.n_expert_used);
		double sum = 0;
		for (uint32_t e : order) sum += probability[e];
		Vector out(h_.n_embd, 0.0f);
		for (uint32_t e : order) {
			const size_t hidden_row = size_t(e) * h_.n_ff_expert;
			Vector y = gated(weight("ffn_gate_exps.weight"), hidden_row, weight("ffn_up_exps.weight"), hidden_row, weight("ffn_down_exps.weight"),
			                 size_t(e) * h_.n_embd, h_.n_ff_expert, x);
			for (float& value : y) value = float(value * probability[e] / (h_.norm_expert_weights ? sum : 1.0));
			add(out, y);
		}
		return out;
	}

	Vector gated(const Vector& gate, size_t gate_row, const Vector& up, size_t up_row, const Vector& down, size_t down_row, uint32_t n_ff, const Vector& x) const {
		Vector hidden = products(gate, gate_row, n_ff, x);
		const Vector linear = products(up, up_row, n_ff, x);
		for (uint32_t i = 0; i < n_ff; ++i) hidden[i] = float(activate(hidden[i], h_.activation) * linear[i]);
		return products(down, down_row, h_.n_embd, hidden);
	}

	Vector projection(std::string_view name, size_t fused_row, size_t rows, const Vector& x) const {
		if (h_.fused_qkv) return products(weight("attn_qkv.weight"), fused_row, rows, x);
		Vector y = products(weight(fmt::format("{}.weight", name)), 0, rows, x);
		if (h_.qkv_bias) add(y, weight(fmt::format("{}.bias", name)));
		return y;
	}

	void prepare(std::span<float> head, std::string_view norm, const RopeFrequencies& rope, uint32_t position) const {
		if (h_.qk_norm) normalize(head, weight(norm), h_.norm_eps);
		rotate(head, rope, h_.rope_style, position);
	}

	std::span<float> headOf(Vector& x, uint32_t head) const { return std::span(x).subspan(size_t(head) * h_.head_dim, h_.head_dim); }

	const Vector& weight(std::string_view name) const {
		const Vector* found = model_.find(fmt::format("blk.{}.{}", layer_, name));
		assert(found);
		return *found;
	}

	const Model& model_;
	const Hyperparameters& h_;
	uint32_t layer_;
};

}  // namespace

const std::vector<float>* Model::find(std::string_view name) const {
	const auto found = tensors.find(name);
	return found == tensors.end() ? nullptr : &found->second;
}

Result<Model> load(const ModelSource& source) {
	Model model;
	VKQ_TRY(model.h, readHyperparameters(source.metadata(), source.tensors(), source.name()));
	VKQ_CHECK(checkTensors(model.h, source.tensors(), source.name()));
	for (size_t i = 0; i < source.tensors().size(); ++i) {
		const TensorInfo& tensor = source.tensors()[i];
		if (!typeInfo(tensor.type).has_codec) {
			return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is {}, which cannot be decoded", source.name(), tensor.name, typeName(tensor.type)));
		}
		std::vector<std::byte> bytes(tensor.bytes);
		VKQ_CHECK(source.readRows(i, 0, tensor.rows(), bytes.data()));
		Vector values(tensor.elements());
		for (uint64_t row = 0; row < tensor.rows(); ++row) {
			decodeRow(tensor.type, bytes.data() + row * tensor.rowBytes(), tensor.ne[0], values.data() + row * tensor.ne[0]);
		}
		model.tensors.emplace(tensor.name, std::move(values));
	}
	return model;
}

std::vector<float> forward(const Model& model, Cache& cache, std::span<const uint32_t> tokens, uint32_t context) {
	const Hyperparameters& h = model.h;
	cache.keys.resize(h.n_layer);
	cache.values.resize(h.n_layer);
	const Vector* factors = model.find(ropeFactorTensor(h, context));
	const std::span<const float> divisors = factors ? std::span<const float>(*factors) : std::span<const float>();
	const RopeFrequencies rope = ropeFrequencies(h, false, divisors), rope_sliding = ropeFrequencies(h, true, divisors);
	const Vector& embedding = *model.find("token_embd.weight");
	const Vector& head = h.tied_embeddings ? embedding : *model.find("output.weight");

	std::vector<float> logits;
	for (const uint32_t token : tokens) {
		Vector x(embedding.begin() + std::ptrdiff_t(token) * h.n_embd, embedding.begin() + std::ptrdiff_t(token + 1) * h.n_embd);
		for (float& value : x) value *= h.embedding_scale;
		for (uint32_t i = 0; i < h.n_layer; ++i) {
			const Layer layer(model, i);
			add(x, layer.attention(x, cache, cache.tokens, h.slides(i) ? rope_sliding : rope));
			add(x, layer.feedForward(x));
		}
		++cache.tokens;
		normalize(x, *model.find("output_norm.weight"), h.norm_eps);
		for (float& value : x = products(head, 0, h.n_vocab, x)) value = float(softcap(value, h.logit_softcap));
		logits.insert(logits.end(), x.begin(), x.end());
	}
	return logits;
}

}  // namespace vkq::ref
