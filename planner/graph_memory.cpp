#include "planner/graph_memory.h"

#include "core/bytes.h"

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

}  // namespace

uint64_t GraphMemory::measure(uint64_t alignment) const {
	std::vector<uint32_t> left(nodes_.size());
	for (const Node& node : nodes_) for (const Id used : node.uses) ++left[used];

	Holes holes;
	std::vector<std::optional<Range>> place(nodes_.size());
	for (Id id = 0; id < nodes_.size(); ++id) {
		const Node& node = nodes_[id];
		const uint64_t bytes = alignUp(node.bytes, alignment);
		if (node.kind == Kind::InPlace) {
			for (const Id used : node.uses) {
				if (!place[used] || nodes_[used].kept || left[used] != 1 || place[used]->bytes != bytes) continue;
				std::swap(place[id], place[used]);
				break;
			}
		}
		if (!place[id] && bytes) place[id] = Range{holes.take(bytes), bytes};
		for (const Id used : node.uses) {
			if (--left[used] || !place[used] || nodes_[used].kept) continue;
			holes.give(*place[used]);
			place[used].reset();
		}
	}
	return holes.peak();
}

}  // namespace vkq
