// Executes a plan's memory: one allocation and one buffer per Block, every Placement a view at its offset. Nothing else of a
// run is allocated on devices.
#pragma once

#include "core/result.h"
#include "planner/plan.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <span>
#include <vector>

namespace vkq {

class Allocation {
public:
	/// devices[i] is the plan's device i. kDoesNotFit or kOutOfDeviceMemory name the block's device and size. All blocks are zeroed.
	static Result<Allocation> create(std::span<vk::Device* const> devices, const Plan& plan);

	vk::BufferView view(const Placement& placement) const { return {buffers_[placement.block], placement.offset, placement.bytes}; }
	const vk::Buffer& buffer(const Placement& placement) const { return buffers_[placement.block]; }
	/// Null where the host cannot see it.
	std::byte* mapped(const Placement& placement) const;

	/// The one piece of a scratch buffer on a device, or null where the plan has none.
	const Placement* scratch(uint32_t device, ScratchId id) const;
	const Plan& plan() const { return *plan_; }

private:
	explicit Allocation(const Plan& plan) : plan_(&plan) {}
	const Plan* plan_;   // outlives this
	std::vector<vk::Buffer> buffers_;
	std::vector<std::vector<const Placement*>> scratch_;   // [device][id]
};

}  // namespace vkq
