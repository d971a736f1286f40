// How much memory a graph of operations takes when results are placed one after another, each at the best-fitting hole that
// earlier results left: the scheme of ggml's graph allocator, on one device or with the graph cut over several.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace vkq {

/// What an operation is, as far as its order (graph_order.h) and its place depend on it.
enum class GraphOp : uint8_t {
	Input, External,                                                   // leaves: given by the host; memory outside of the graph
	View,                                                              // another shape of something, no memory of its own
	Copy, Product, ExpertProduct, GetRows, SetRows, SumRows, Sort, Gated, Attention, Rope,
	RmsNorm, Multiply, Add, Divide, Scale, Clamp, Tanh, Softmax,        // may take the place of what they are computed from
};

using GraphId = uint32_t;
constexpr GraphId kNoGraphId = UINT32_MAX;

struct GraphNode {
	GraphOp op;
	uint64_t bytes = 0;                 // of the result; of a view: of what it shows
	std::vector<GraphId> uses;          // results, inputs and external memory that it reads; weights are left out
	GraphId view_of = kNoGraphId;       // of a view, and of a write into other memory: what it lies in
	bool whole = true;                  // of a view: shows all of it, in the same order
	uint32_t device = 0;

	bool leaf() const { return op == GraphOp::Input || op == GraphOp::External; }
};

class GraphMemory {
public:
	GraphId input(uint64_t bytes) { return add({GraphOp::Input, bytes, {}, kNoGraphId, true, 0}); }
	GraphId external() { return add({GraphOp::External, 0, {}, kNoGraphId, true, 0}); }
	GraphId result(GraphOp op, uint64_t bytes, std::initializer_list<GraphId> uses) { return add({op, bytes, uses, kNoGraphId, true, device_}); }
	/// All of `of` in another shape, or a part of it.
	GraphId view(GraphId of, bool whole = true) { return add({GraphOp::View, nodes_[of].bytes, {of}, root(of), whole && nodes_[of].whole, device_}); }
	/// Writes `uses` into `into`.
	GraphId write(GraphId into, std::initializer_list<GraphId> uses) { return add({GraphOp::SetRows, 0, uses, root(into), false, device_}); }

	/// `id` stays until `later` has run.
	void hold(GraphId id, GraphId later) { nodes_[later].uses.push_back(id); }

	/// The device of the operations that follow. Never lower than the one before.
	void on(uint32_t device) { device_ = device; }

	/// Bytes on each of `devices`. Where a device's operations read inputs, or results of the device before, these are copied to it;
	/// with `copies` > 1 that many of each are kept throughout, so that devices can work on steps of their own.
	std::vector<uint64_t> measure(uint32_t devices, uint64_t alignment, uint32_t copies) const;

private:
	GraphId add(GraphNode node) {
		nodes_.push_back(std::move(node));
		return GraphId(nodes_.size() - 1);
	}
	GraphId root(GraphId id) const { return nodes_[id].view_of == kNoGraphId ? id : nodes_[id].view_of; }

	std::vector<GraphNode> nodes_;
	uint32_t device_ = 0;
};

}  // namespace vkq
