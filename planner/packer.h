// Puts things into blocks: first fit, every offset aligned, no block above the device's largest allocation.
#pragma once

#include "core/bytes.h"
#include "planner/plan.h"

#include <algorithm>

namespace vkq {

class Packer {
public:
	/// Blocks go to the end of `blocks`, of `device`, in `heap`.
	Packer(std::vector<Block>& blocks, const DeviceSpec& spec, uint32_t device, uint32_t heap, bool host_visible)
		: blocks_(blocks), spec_(spec), proto_{heap, device, 0, host_visible}, limit_(spec.max_allocation & ~(spec.granularity - 1)) {}

	struct Address {
		uint32_t block;
		uint64_t offset;
	};

	/// `bytes` <= the largest allocation.
	Address add(uint64_t bytes) {
		for (const uint32_t block : mine_) {
			const uint64_t offset = alignUp(blocks_[block].bytes, spec_.offset_alignment);
			if (offset + bytes > limit_) continue;
			blocks_[block].bytes = offset + bytes;
			return {block, offset};
		}
		mine_.push_back(uint32_t(blocks_.size()));
		blocks_.push_back(proto_);
		blocks_.back().bytes = bytes;
		return {mine_.back(), 0};
	}

	/// Rounds the blocks up to what will be allocated; their sum in bytes. Call once, last.
	uint64_t finish() {
		uint64_t sum = 0;
		for (const uint32_t block : mine_) sum += blocks_[block].bytes = alignUp(blocks_[block].bytes, spec_.granularity);
		return sum;
	}

private:
	std::vector<Block>& blocks_;
	const DeviceSpec& spec_;
	Block proto_;
	uint64_t limit_;
	std::vector<uint32_t> mine_;
};

}  // namespace vkq
