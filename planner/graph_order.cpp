#include "planner/graph_order.h"

#include <algorithm>

namespace vkq {

namespace {

constexpr size_t kLookAhead = 20, kPartnerDistance = 15;

// A router's choice of experts is one kernel there; it stays together. The longest first.
using enum GraphOp;
const std::vector<GraphOp> kTogether[] = {
	{Softmax, View, Sort, View, GetRows, View, SumRows, Clamp, Divide, View},
	{Softmax, View, Sort, View, GetRows},
};

class Order {
public:
	Order(std::span<const GraphNode> nodes, std::span<const GraphId> ids) : nodes_(nodes), ids_(ids), done_(ids.size()) {}

	std::vector<GraphId> run() {
		while (first_ < ids_.size()) {
			std::vector<size_t> set;
			if (const size_t length = togetherAt(first_)) {
				for (size_t i = 0; i < length; ++i) set.push_back(first_ + i);
			} else {
				set = nextSet();
			}
			for (const size_t i : set) order_.push_back(ids_[i]), done_[i] = true;
			while (first_ < ids_.size() && done_[first_]) ++first_;
		}
		return std::move(order_);
	}

private:
	const GraphNode& node(size_t i) const { return nodes_[ids_[i]]; }
	bool is(size_t i, GraphOp op) const { return node(i).op == op; }
	GraphId root(GraphId id) const { return nodes_[id].view_of == kNoGraphId ? id : nodes_[id].view_of; }
	bool uses(size_t i, size_t earlier) const { return std::find(node(i).uses.begin(), node(i).uses.end(), ids_[earlier]) != node(i).uses.end(); }
	/// Reads what it makes, lies in the same memory, or writes where it reads.
	bool depends(size_t i, size_t earlier) const {
		if (uses(i, earlier) || root(ids_[i]) == root(ids_[earlier])) return true;
		const auto& read = node(earlier).uses;
		return std::any_of(read.begin(), read.end(), [&](GraphId used) { return root(used) == root(ids_[i]); });
	}
	size_t until(size_t from, size_t distance) const { return std::min(from + distance, ids_.size()); }

	size_t togetherAt(size_t i) const {
		for (const auto& pattern : kTogether) {
			if (i + pattern.size() > ids_.size()) continue;
			bool same = true;
			for (size_t k = 0; k < pattern.size() && same; ++k) same = is(i + k, pattern[k]) && !done_[i + k];
			if (same) return pattern.size();
		}
		return 0;
	}

	/// Neighbours that are one kernel there.
	bool fused(size_t i, size_t next) const {
		return (is(i, RmsNorm) && is(next, Multiply)) || (is(i, Product) && is(next, Add)) || (is(i, ExpertProduct) && is(next, Multiply)) || (is(i, Add) && is(next, Add));
	}

	/// What can run now: the first operation, those behind it that wait for nothing, then views of what has run.
	std::vector<size_t> nextSet() {
		std::vector<size_t> set{first_};
		for (size_t i = first_ + 1; i < until(first_, kLookAhead); ++i) {
			if (done_[i] || is(i, View) || togetherAt(i) || !ready(i, set)) continue;
			set.push_back(i);
			addPartners(i, set);
		}
		if (is(set.back(), Add)) return set;   // a view would part it from its successor
		for (size_t i = first_ + 1; i < until(first_, kLookAhead); ++i) {
			if (done_[i] || !is(i, View)) continue;
			bool seen = true;
			for (size_t c = first_; c < i && seen; ++c) seen = done_[c] || !depends(i, c) || std::find(set.begin(), set.end(), c) != set.end();
			if (seen) set.push_back(i);
		}
		return set;
	}

	bool ready(size_t i, const std::vector<size_t>& set) const {
		for (size_t c = first_; c < i; ++c) {
			if (!done_[c] && depends(i, c) && !(i == c + 1 && c == set.back() && fused(c, i))) return false;
		}
		return true;
	}

	void take(size_t i, std::vector<size_t>& set) { set.push_back(i), done_[i] = true; }

	/// Operations further on that are fused with the one at `i`: a rotation with its norm, a second sum.
	void addPartners(size_t i, std::vector<size_t>& set) {
		const bool norm = is(i, Multiply) && is(i - 1, RmsNorm), sum = is(i, Add) && is(i - 1, Product);
		for (size_t k = i + 1; (norm || sum) && k < until(i, kPartnerDistance); ++k) {
			if (!is(k, norm ? Rope : Add) || node(k).uses.front() != ids_[i]) continue;
			const GraphId other = node(k).uses.back();
			if (!nodes_[other].leaf() && std::find(order_.begin(), order_.end(), other) == order_.end()) continue;
			take(k, set);
			return;
		}
	}

	std::span<const GraphNode> nodes_;
	std::span<const GraphId> ids_;
	std::vector<bool> done_;
	std::vector<GraphId> order_;
	size_t first_ = 0;
};

}  // namespace

std::vector<GraphId> pulledForward(std::span<const GraphNode> nodes, std::span<const GraphId> ids) { return Order(nodes, ids).run(); }

}  // namespace vkq
