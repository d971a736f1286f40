// The model's tensors on their devices: matrices repacked to the device layout, vectors as floats.
#pragma once

#include "arch/model.h"
#include "ggufio/model_source.h"
#include "infer/allocation.h"
#include "kernels/product.h"

#include <functional>
#include <optional>
#include <vector>

namespace vkq {

/// Bytes of weights done, of so many. False stops loading with kInterrupted.
using LoadProgress = std::function<bool(uint64_t done, uint64_t total)>;

/// Null views and empty pieces are tensors that the family does not have.
struct LayerWeights {
	vk::BufferView attn_norm, post_attention_norm, ffn_norm, post_ffw_norm;   // [n_embd]
	vk::BufferView attn_q_norm, attn_k_norm;                                  // [head_dim]
	vk::BufferView q_bias, k_bias, v_bias;
	Matrix q, k, v, qkv, output;           // qkv: fused, instead of q, k, v
	Matrix gate, up, down;                 // dense; gate is empty where up is fused
	Matrix router, gate_experts, up_experts, down_experts;
};

struct Weights {
	std::vector<LayerWeights> layers;
	vk::BufferView output_norm;   // [n_embd], on the output device
	Matrix head;                  // output.weight, or token_embd.weight where tied

	/// Uploads every weight that the plan places. `kernels[i]` is device i's; tensors are the request's (their type on the device is
	/// the file's).
	static Result<Weights> load(const ModelSource& source, const Hyperparameters& model, std::span<const TensorInfo> tensors, const Allocation& allocation,
	                            std::span<const Kernels> kernels, const LoadProgress& progress);

	/// Uploads one tensor again: the source gives other values now. Nothing to do for one that the host reads.
	static Result<void> reload(const ModelSource& source, size_t tensor, const Allocation& allocation, std::span<const Kernels> kernels);
};

}  // namespace vkq
