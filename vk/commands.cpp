#include "vk/commands.h"

#include "vk/check.h"

#include <cassert>
#include <utility>

namespace vkq::vk {

Result<CommandBuffer> CommandBuffer::create(Device& device, uint32_t timestamps) {
	CommandBuffer buffer;
	buffer.device_ = &device;
	buffer.sets_ = DescriptorSets(device.handle());
	VkCommandPoolCreateInfo pool{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
	pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
	pool.queueFamilyIndex = device.info().compute_family;
	VKQ_VK_TRY(vkCreateCommandPool(device.handle(), &pool, nullptr, &buffer.pool_));
	VkCommandBufferAllocateInfo allocate{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
	allocate.commandPool = buffer.pool_;
	allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
	allocate.commandBufferCount = 1;
	VKQ_VK_TRY(vkAllocateCommandBuffers(device.handle(), &allocate, &buffer.commands_));
	VkFenceCreateInfo fence{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
	VKQ_VK_TRY(vkCreateFence(device.handle(), &fence, nullptr, &buffer.fence_));
	if (timestamps && device.limits().timestamp_ns > 0) {
		VkQueryPoolCreateInfo queries{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
		queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
		queries.queryCount = timestamps;
		VKQ_VK_TRY(vkCreateQueryPool(device.handle(), &queries, nullptr, &buffer.queries_));
		buffer.query_capacity_ = timestamps;
	}
	return buffer;
}

CommandBuffer::CommandBuffer(CommandBuffer&& other) noexcept { *this = std::move(other); }

CommandBuffer& CommandBuffer::operator=(CommandBuffer&& other) noexcept {
	std::swap(device_, other.device_);
	std::swap(pool_, other.pool_);
	std::swap(commands_, other.commands_);
	std::swap(fence_, other.fence_);
	std::swap(queries_, other.queries_);
	std::swap(sets_, other.sets_);
	std::swap(failure_, other.failure_);
	std::swap(query_capacity_, other.query_capacity_);
	std::swap(query_count_, other.query_count_);
	std::swap(recording_, other.recording_);
	std::swap(in_flight_, other.in_flight_);
	return *this;
}

CommandBuffer::~CommandBuffer() {
	if (!device_) return;
	// Resources in use must not be freed; what the wait returns no longer matters here.
	if (in_flight_) vkWaitForFences(device_->handle(), 1, &fence_, VK_TRUE, UINT64_MAX);
	if (queries_) vkDestroyQueryPool(device_->handle(), queries_, nullptr);
	if (fence_) vkDestroyFence(device_->handle(), fence_, nullptr);
	if (pool_) vkDestroyCommandPool(device_->handle(), pool_, nullptr);
}

Result<void> CommandBuffer::begin() {
	assert(!in_flight_ && !recording_);
	VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
	VKQ_VK_TRY(vkBeginCommandBuffer(commands_, &info));
	recording_ = true;
	query_count_ = 0;
	sets_.reuse();
	failure_.reset();
	if (queries_) vkCmdResetQueryPool(commands_, queries_, 0, query_capacity_);
	return {};
}

void CommandBuffer::dispatch(const Pipeline& pipeline, std::span<const BufferView> buffers, const void* push, size_t push_bytes, Groups groups) {
	assert(recording_ && buffers.size() == pipeline.bindings.size() && push_bytes == pipeline.push_bytes);
	[[maybe_unused]] const auto& limit = device_->limits().workgroup_count;
	assert(groups.x <= limit[0] && groups.y <= limit[1] && groups.z <= limit[2]);
	if (groups.x == 0 || groups.y == 0 || groups.z == 0) return;

	auto set = sets_.write(pipeline, buffers);
	if (!set) {
		failure_ = std::move(set).error();
		return;
	}
	vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle);
	vkCmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout, 0, 1, &set.value(), 0, nullptr);
	if (push_bytes) vkCmdPushConstants(commands_, pipeline.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, uint32_t(push_bytes), push);
	vkCmdDispatch(commands_, groups.x, groups.y, groups.z);
}

void CommandBuffer::copy(const Buffer& from, uint64_t from_offset, const Buffer& to, uint64_t to_offset, uint64_t bytes) {
	assert(recording_ && from_offset + bytes <= from.bytes() && to_offset + bytes <= to.bytes());
	if (bytes == 0) return;
	const VkBufferCopy region{from_offset, to_offset, bytes};
	vkCmdCopyBuffer(commands_, from.handle(), to.handle(), 1, &region);
}

void CommandBuffer::fill(const Buffer& buffer, uint64_t offset, uint64_t bytes, uint32_t word) {
	assert(recording_ && offset % 4 == 0 && bytes % 4 == 0 && offset + bytes <= buffer.bytes());
	if (bytes) vkCmdFillBuffer(commands_, buffer.handle(), offset, bytes, word);
}

void CommandBuffer::barrier() {
	assert(recording_);
	VkMemoryBarrier memory{VK_STRUCTURE_TYPE_MEMORY_BARRIER};
	memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
	memory.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_UNIFORM_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT |
	                       VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT;
	constexpr VkPipelineStageFlags kDevice = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
	vkCmdPipelineBarrier(commands_, kDevice, kDevice | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &memory, 0, nullptr, 0, nullptr);
}

void CommandBuffer::timestamp() {
	assert(recording_);
	if (!queries_) return;
	assert(query_count_ < query_capacity_);
	vkCmdWriteTimestamp(commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries_, query_count_++);
}

Result<void> CommandBuffer::submit() {
	assert(!in_flight_);
	if (recording_) {
		barrier();   // what the host reads after wait() is visible to it
		recording_ = false;
		VKQ_VK_TRY(vkEndCommandBuffer(commands_));
	}
	if (failure_) return *failure_;
	VKQ_VK_TRY(vkResetFences(device_->handle(), 1, &fence_));
	VKQ_CHECK(device_->submit(commands_, fence_));
	in_flight_ = true;
	return {};
}

Result<void> CommandBuffer::wait() {
	if (!in_flight_) return {};
	in_flight_ = false;
	VKQ_VK_TRY(vkWaitForFences(device_->handle(), 1, &fence_, VK_TRUE, UINT64_MAX));
	return {};
}

Result<void> CommandBuffer::submitAndWait() {
	VKQ_CHECK(submit());
	return wait();
}

Result<double> CommandBuffer::timestampNs(uint32_t from, uint32_t to) const {
	if (!queries_ || from >= query_count_ || to >= query_count_) return fail(ErrorCode::kUnsupported, "the device has no timestamps on its compute queue");
	uint64_t ticks[2];
	VKQ_VK_TRY(vkGetQueryPoolResults(device_->handle(), queries_, from, 1, 8, &ticks[0], 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
	VKQ_VK_TRY(vkGetQueryPoolResults(device_->handle(), queries_, to, 1, 8, &ticks[1], 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT));
	return double(ticks[1] - ticks[0]) * device_->limits().timestamp_ns;
}

}  // namespace vkq::vk
