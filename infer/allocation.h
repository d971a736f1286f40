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

	/// Copies bytes from or to [offset, ...) of a placement, through the device's staging buffer where the host cannot see it. Offsets and
	/// sizes are multiples of 4. The device must be idle.
	Result<void> read(const Placement& placement, uint64_t offset, std::span<std::byte> out) const;
	Result<void> write(const Placement& placement, uint64_t offset, std::span<const std::byte> bytes) const;

	/// Null where memory is unified.
	const Placement* staging(uint32_t device) const { return staging_[device]; }

	/// The one piece of a scratch buffer on a device, or null where the plan has none.
	const Placement* scratch(uint32_t device, ScratchId id) const;
	const Plan& plan() const { return *plan_; }

private:
	Allocation(std::span<vk::Device* const> devices, const Plan& plan) : devices_(devices.begin(), devices.end()), plan_(&plan) {}

	Result<void> copyStaged(const Placement& placement, uint64_t offset, uint64_t bytes, bool to_device) const;

	std::vector<vk::Device*> devices_;
	const Plan* plan_;   // outlives this
	std::vector<vk::Buffer> buffers_;
	std::vector<std::vector<const Placement*>> scratch_;   // [device][id]
	std::vector<const Placement*> staging_;                // [device]; null where memory is unified
};

}  // namespace vkq
