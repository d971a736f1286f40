// The graph of one step as llama.cpp lists it, views included: they count in how far its Vulkan backend looks ahead.
#pragma once

#include "planner/graph_memory.h"
#include "planner/llama_cpp.h"

namespace vkq {

class LlamaCppStep {
public:
	/// `tokens` tokens over `cells` cells. `device_of(layer)` for layers [0, n_layer] (the last: the head) never falls.
	LlamaCppStep(const Hyperparameters& h, uint64_t tokens, uint64_t cells, const LlamaCppRun& run, std::span<const uint32_t> device_of);

	/// Bytes on each device.
	std::vector<uint64_t> bytes(uint32_t devices) const;

private:
	using Id = GraphId;
	struct CacheInputs { Id k_rows, v_rows, mask, k_rotation, v_rotation; };   // a rotation: kNoGraphId where there is none

	uint64_t floats(uint64_t elements) const { return tokens_ * elements * sizeof(float); }
	Id op(GraphOp op, uint64_t elements, std::initializer_list<Id> uses) { return graph_.result(op, floats(elements), uses); }

	CacheInputs cacheInputs(const LlamaCppRun& run, uint64_t cells);
	Id norm(uint64_t elements, Id x) { return op(GraphOp::Multiply, elements, {op(GraphOp::RmsNorm, elements, {x})}); }
	Id project(Id x, uint64_t elements);
	Id rotate(Id x, uint64_t elements, Id rotation);
	Id query(Id x, Id rotation);
	Id key(Id x, Id rotation);
	Id value(Id x, Id rotation);
	Id attention(Id x, const CacheInputs& cache);
	Id feedForward(Id x);
	Id experts(Id x);
	/// The stream normalized, still where it was, and multiplied by the norm's weight, which is on `device`, as is all that follows.
	Id normOn(uint32_t device);
	void addLayer(uint32_t layer, uint32_t device);

	const Hyperparameters& h_;
	uint64_t tokens_;
	GraphMemory graph_;
	Id residual_ = 0, positions_ = 0, wanted_ = 0;
	CacheInputs full_{}, sliding_{};
};

/// Cells of a cache: a multiple of 256.
uint64_t llamaCppCells(uint64_t context);
/// The same of a sliding layer.
uint64_t llamaCppWindowCells(const Hyperparameters& model, uint64_t context, uint64_t batch);

constexpr uint64_t kLlamaCppAlignment = 16;   // bytes; of tensors within its buffers

}  // namespace vkq
