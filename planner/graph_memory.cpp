#include "planner/graph_memory.h"

#include "core/bytes.h"
#include "planner/graph_order.h"

#include <algorithm>
#include <optional>

namespace vkq {

namespace {

struct Range {
	uint64_t offset, bytes;
};

/// Holes below `end_`, sorted by offset; beyond it everything is free.
class Holes {
public:
	uint64_t take(uint64_t bytes) {
		auto best = holes_.end();
		for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
			if (hole->bytes >= bytes && (best == holes_.end() || hole->bytes <= best->bytes)) best = hole;
		}
		uint64_t offset = end_;
		if (best == holes_.end()) {
			end_ += bytes;
		} else {
			offset = best->offset;
			best->offset += bytes;
			best->bytes -= bytes;
			if (best->bytes == 0) holes_.erase(best);
		}
		peak_ = std::max(peak_, offset + bytes);
		return offset;
	}

	void give(Range range) {
		auto next = std::find_if(holes_.begin(), holes_.end(), [&](const Range& hole) { return hole.offset > range.offset; });
		if (next != holes_.end() && range.offset + range.bytes == next->offset) {
			range.bytes += next->bytes;
			next = holes_.erase(next);
		}
		if (next != holes_.begin() && std::prev(next)->offset + std::prev(next)->bytes == range.offset) {
			--next;
			range = {next->offset, next->bytes + range.bytes};
			next = holes_.erase(next);
		}
		if (range.offset + range.bytes == end_) end_ = range.offset;
		else holes_.insert(next, range);
	}

	uint64_t peak() const { return peak_; }

private:
	std::vector<Range> holes_;
	uint64_t end_ = 0, peak_ = 0;
};

bool worksInPlace(GraphOp op) { return op >= GraphOp::RmsNorm; }

/// Places the operations of all devices, in order, and keeps account of who is still needed.
class Placer {
public:
	Placer(std::vector<GraphNode> nodes, uint32_t devices, uint64_t alignment)
		: nodes_(std::move(nodes)), alignment_(alignment), holes_(devices), place_(nodes_.size()), children_(nodes_.size()), views_(nodes_.size()), kept_(nodes_.size()) {}

	/// A copy that stays to the end.
	void keep(GraphId id) {
		kept_[id] = true;
		take(id);
	}

	void run(const std::vector<GraphId>& order) {
		for (const GraphId id : order) {
			const GraphNode& node = nodes_[id];
			if (node.view_of != kNoGraphId) ++views_[node.view_of];
			for (const GraphId used : node.uses) ++children_[used];
		}
		for (const GraphId id : order) {
			const GraphNode& node = nodes_[id];
			if (node.view_of == kNoGraphId && !place_[id] && !(worksInPlace(node.op) && inherit(id))) take(id);
			for (const GraphId used : node.uses) {
				if (--children_[used] || views_[used]) continue;
				const GraphId root = nodes_[used].view_of;
				if (root == kNoGraphId) give(used);
				else if (--views_[root] == 0 && children_[root] == 0) give(root);
			}
		}
	}

	std::vector<uint64_t> peaks() const {
		std::vector<uint64_t> peaks;
		for (const Holes& holes : holes_) peaks.push_back(holes.peak());
		return peaks;
	}

private:
	void take(GraphId id) {
		const uint64_t bytes = alignUp(nodes_[id].bytes, alignment_);
		if (bytes && nodes_[id].op != GraphOp::External) place_[id] = Range{holes_[nodes_[id].device].take(bytes), bytes};
	}

	void give(GraphId id) {
		if (!place_[id] || kept_[id]) return;
		holes_[nodes_[id].device].give(*place_[id]);
		place_[id].reset();
	}

	/// Takes the place of something that nobody else needs, and of which all is shown.
	bool inherit(GraphId id) {
		for (const GraphId used : nodes_[id].uses) {
			const GraphNode& parent = nodes_[used];
			const GraphId root = parent.view_of;
			const GraphId owner = root == kNoGraphId ? used : root;
			if (!place_[owner] || kept_[owner] || parent.bytes != nodes_[id].bytes || children_[used] != 1 || views_[used]) continue;
			if (root != kNoGraphId && !(parent.whole && views_[root] == 1 && children_[root] == 0)) continue;
			std::swap(place_[id], place_[owner]);
			return true;
		}
		return false;
	}

	std::vector<GraphNode> nodes_;
	uint64_t alignment_;
	std::vector<Holes> holes_;
	std::vector<std::optional<Range>> place_;
	std::vector<uint32_t> children_, views_;
	std::vector<bool> kept_;
};

}  // namespace

std::vector<uint64_t> GraphMemory::measure(uint32_t devices, uint64_t alignment, uint32_t copies) const {
	std::vector<GraphNode> nodes = nodes_;
	std::vector<GraphId> order, kept;
	for (uint32_t device = 0; device < devices; ++device) {
		// What comes from elsewhere is read from a copy, made when the device begins.
		std::vector<GraphId> own, copied(nodes_.size(), kNoGraphId);
		const auto copyOf = [&](GraphId source) {
			if (copied[source] != kNoGraphId) return copied[source];
			if (!nodes_[source].leaf()) {   // not given up before it is copied
				order.push_back(GraphId(nodes.size()));
				nodes.push_back({GraphOp::View, 0, {source}, kNoGraphId, true, nodes_[source].device});
			}
			copied[source] = GraphId(nodes.size());
			order.push_back(copied[source]);
			for (uint32_t c = 0; c < copies; ++c) {
				if (copies > 1) kept.push_back(GraphId(nodes.size()));
				nodes.push_back({GraphOp::Input, nodes_[source].bytes, {}, kNoGraphId, true, device});
			}
			return copied[source];
		};
		for (GraphId id = 0; id < nodes_.size(); ++id) {
			if (nodes_[id].leaf() || nodes_[id].device != device) continue;
			own.push_back(id);
			for (size_t i = 0; i < nodes_[id].uses.size(); ++i) {
				const GraphNode& source = nodes_[nodes_[id].uses[i]];
				if (source.op == GraphOp::Input || (!source.leaf() && source.device != device)) nodes[id].uses[i] = copyOf(nodes_[id].uses[i]);
			}
		}
		const std::vector<GraphId> pulled = pulledForward(nodes, own);
		order.insert(order.end(), pulled.begin(), pulled.end());
	}
	Placer placer(std::move(nodes), devices, alignment);
	for (const GraphId id : kept) placer.keep(id);
	placer.run(order);
	return placer.peaks();
}

}  // namespace vkq
