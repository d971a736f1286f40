#include "infer/allocation.h"

#include "core/units.h"
#include "vk/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace vkq {

namespace {

/// Caches are read beyond their newest cell and multiplied by zero: what lies there must be numbers.
Result<void> clear(vk::Device& device, const vk::Buffer& buffer) {
	if (buffer.mapped()) {
		std::memset(buffer.mapped(), 0, buffer.bytes());
		return {};
	}
	VKQ_TRY(auto commands, vk::CommandBuffer::create(device));
	VKQ_CHECK(commands.begin());
	commands.fill(buffer, 0, buffer.bytes() / 4 * 4, 0);
	return commands.submitAndWait();
}

}  // namespace

Result<Allocation> Allocation::create(std::span<vk::Device* const> devices, const Plan& plan) {
	Allocation allocation(devices, plan);
	for (const Block& block : plan.blocks) {
		vk::Device& device = *devices[block.device];
		const bool on_device = plan.heaps[block.heap].device != kNone;
		auto buffer = vk::Buffer::create(device, block.bytes, on_device ? vk::MemoryUse::Device : vk::MemoryUse::Download);
		if (!buffer) {
			Error error = std::move(buffer).error();
			error.message = fmt::format("{} for the model on {}: {}", formatBytes(block.bytes), device.info().name, error.message);
			if (error.hint.empty()) error.hint = "a smaller --ctx, a smaller cache type (--kv q8_0) or a smaller file type needs less";
			return error;
		}
		if (block.host_visible && !buffer->mapped()) {
			return fail(ErrorCode::kUnsupported, fmt::format("{} has no memory for {} that the host can see", device.info().name, formatBytes(block.bytes)));
		}
		VKQ_CHECK(clear(device, *buffer));
		allocation.buffers_.push_back(std::move(buffer).value());
	}
	allocation.scratch_.assign(devices.size(), std::vector<const Placement*>(kScratchCount, nullptr));
	allocation.staging_.assign(devices.size(), nullptr);
	for (const Placement& placement : plan.placements) {
		if (placement.what == What::Scratch) allocation.scratch_[placement.device][placement.index] = &placement;
		if (placement.what == What::Staging) allocation.staging_[placement.device] = &placement;
	}
	return allocation;
}

std::byte* Allocation::mapped(const Placement& placement) const {
	std::byte* base = buffers_[placement.block].mapped();
	return base ? base + placement.offset : nullptr;
}

Result<void> Allocation::copyStaged(const Placement& placement, uint64_t offset, uint64_t bytes, bool to_device) const {
	const Placement& staging = *staging_[placement.device];
	VKQ_TRY(auto commands, vk::CommandBuffer::create(*devices_[placement.device]));
	VKQ_CHECK(commands.begin());
	const vk::Buffer &local = buffer(placement), &visible = buffer(staging);
	if (to_device) commands.copy(visible, staging.offset, local, placement.offset + offset, bytes);
	else commands.copy(local, placement.offset + offset, visible, staging.offset, bytes);
	return commands.submitAndWait();
}

Result<void> Allocation::read(const Placement& placement, uint64_t offset, std::span<std::byte> out) const {
	if (const std::byte* source = mapped(placement)) {
		std::memcpy(out.data(), source + offset, out.size());
		return {};
	}
	const Placement& staging = *staging_[placement.device];
	for (uint64_t done = 0; done < out.size(); done += staging.bytes) {
		const uint64_t count = std::min(staging.bytes, out.size() - done);
		VKQ_CHECK(copyStaged(placement, offset + done, count, false));
		std::memcpy(out.data() + done, mapped(staging), count);
	}
	return {};
}

Result<void> Allocation::write(const Placement& placement, uint64_t offset, std::span<const std::byte> bytes) const {
	if (std::byte* target = mapped(placement)) {
		std::memcpy(target + offset, bytes.data(), bytes.size());
		return {};
	}
	const Placement& staging = *staging_[placement.device];
	for (uint64_t done = 0; done < bytes.size(); done += staging.bytes) {
		const uint64_t count = std::min(staging.bytes, bytes.size() - done);
		std::memcpy(mapped(staging), bytes.data() + done, count);
		VKQ_CHECK(copyStaged(placement, offset + done, count, true));
	}
	return {};
}

const Placement* Allocation::scratch(uint32_t device, ScratchId id) const { return scratch_[device][uint32_t(id)]; }

}  // namespace vkq
