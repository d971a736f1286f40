#include "arch/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_map>

namespace vkq {

namespace {

class TensorList {
public:
	void matrix(std::string name, uint64_t in, uint64_t out) { add(std::move(name), 2, {in, out, 1, 1}, TensorType::F16); }
	void experts(std::string name, uint64_t in, uint64_t out, uint64_t count) { add(std::move(name), 3, {in, out, count, 1}, TensorType::F16); }
	void router(std::string name, uint64_t in, uint64_t out) { add(std::move(name), 2, {in, out, 1, 1}, TensorType::F32); }
	void vector(std::string name, uint64_t length) { add(std::move(name), 1, {length, 1, 1, 1}, TensorType::F32); }

	/// Sorts what was added since `from` by name: the order within a layer.
	void sortFrom(size_t from) {
		std::sort(tensors.begin() + std::ptrdiff_t(from), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
	}

	std::vector<TensorInfo> tensors;

private:
	void add(std::string name, uint32_t dimensions, std::array<uint64_t, 4> ne, TensorType type) {
		TensorInfo tensor;
		tensor.name = std::move(name);
		tensor.dimensions = dimensions;
		tensor.ne = ne;
		tensor.type = type;
		tensor.bytes = typeBytes(type, tensor.elements()).value_or(0);
		tensors.push_back(std::move(tensor));
	}
};

void addAttention(TensorList& list, const Hyperparameters& h, const std::string& layer) {
	list.vector(layer + "attn_norm.weight", h.n_embd);
	if (h.fused_qkv) {
		list.matrix(layer + "attn_qkv.weight", h.n_embd, uint64_t(h.n_embd_q()) + 2ull * h.n_embd_kv());
	} else {
		list.matrix(layer + "attn_q.weight", h.n_embd, h.n_embd_q());
		list.matrix(layer + "attn_k.weight", h.n_embd, h.n_embd_kv());
		list.matrix(layer + "attn_v.weight", h.n_embd, h.n_embd_kv());
	}
	if (h.qkv_bias) {
		list.vector(layer + "attn_q.bias", h.n_embd_q());
		list.vector(layer + "attn_k.bias", h.n_embd_kv());
		list.vector(layer + "attn_v.bias", h.n_embd_kv());
	}
	if (h.qk_norm) {
		list.vector(layer + "attn_q_norm.weight", h.head_dim);
		list.vector(layer + "attn_k_norm.weight", h.head_dim);
	}
	list.matrix(layer + "attn_output.weight", h.n_embd_q(), h.n_embd);
	if (h.post_norms) list.vector(layer + "post_attention_norm.weight", h.n_embd);
}

void addFeedForward(TensorList& list, const Hyperparameters& h, const std::string& layer) {
	list.vector(layer + "ffn_norm.weight", h.n_embd);
	if (h.n_expert) {
		list.router(layer + "ffn_gate_inp.weight", h.n_embd, h.n_expert);
		list.experts(layer + "ffn_gate_exps.weight", h.n_embd, h.n_ff_expert, h.n_expert);
		list.experts(layer + "ffn_up_exps.weight", h.n_embd, h.n_ff_expert, h.n_expert);
		list.experts(layer + "ffn_down_exps.weight", h.n_ff_expert, h.n_embd, h.n_expert);
	} else {
		if (!h.fused_gate_up) list.matrix(layer + "ffn_gate.weight", h.n_embd, h.n_ff);
		list.matrix(layer + "ffn_up.weight", h.n_embd, h.fused_gate_up ? 2ull * h.n_ff : h.n_ff);
		list.matrix(layer + "ffn_down.weight", h.n_ff, h.n_embd);
	}
	if (h.post_norms) list.vector(layer + "post_ffw_norm.weight", h.n_embd);
}

std::string shapeText(const TensorInfo& tensor) {
	return fmt::format("[{}]", fmt::join(tensor.ne.begin(), tensor.ne.begin() + tensor.dimensions, ", "));
}

bool isRopeTable(std::string_view name) {
	return name == "rope_freqs.weight" || name == "rope_factors_long.weight" || name == "rope_factors_short.weight";
}

Result<void> checkRopeTable(const Hyperparameters& h, const TensorInfo& tensor, std::string_view file) {
	if (tensor.type != TensorType::F32 || tensor.elements() != h.rope_dims / 2 || tensor.ne[0] != tensor.elements()) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is {} {}, expected {} F32 values, one a rotated pair", file, tensor.name,
		                                               typeName(tensor.type), shapeText(tensor), h.rope_dims / 2));
	}
	return {};
}

}  // namespace

std::vector<TensorInfo> expectedTensors(const Hyperparameters& h) {
	TensorList list;
	if (!h.tied_embeddings) list.matrix("output.weight", h.n_embd, h.n_vocab);
	list.vector("output_norm.weight", h.n_embd);
	list.matrix("token_embd.weight", h.n_embd, h.n_vocab);
	for (uint32_t i = 0; i < h.n_layer; ++i) {
		const std::string layer = fmt::format("blk.{}.", i);
		const size_t from = list.tensors.size();
		addAttention(list, h, layer);
		addFeedForward(list, h, layer);
		list.sortFrom(from);
	}
	return std::move(list.tensors);
}

Result<void> checkTensors(const Hyperparameters& h, std::span<const TensorInfo> tensors, std::string_view file) {
	std::unordered_map<std::string_view, const TensorInfo*> present;
	for (const TensorInfo& tensor : tensors) present.emplace(tensor.name, &tensor);

	for (const TensorInfo& expected : expectedTensors(h)) {
		const auto found = present.find(expected.name);
		if (found == present.end()) return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is missing", file, expected.name));
		const TensorInfo& tensor = *found->second;
		if (tensor.ne != expected.ne) {
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} has shape {}, the metadata asks for {}", file, tensor.name,
			                                               shapeText(tensor), shapeText(expected)));
		}
		present.erase(found);
	}
	for (const TensorInfo& tensor : tensors) {
		if (!present.contains(tensor.name)) continue;
		if (!isRopeTable(tensor.name)) {
			return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is not one that a {} model has", file, tensor.name, archName(h.arch)));
		}
		if (auto checked = checkRopeTable(h, tensor, file); !checked) return checked;
	}
	return {};
}

}  // namespace vkq
