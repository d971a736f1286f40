// One command buffer: record, submit, wait, record again. Several in flight are several CommandBuffers.
//
// Dispatches are unordered until barrier(): the recording code shows where one kernel's output is another's input.
#pragma once

#include "core/result.h"
#include "vk/descriptor_sets.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <vulkan/vulkan.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vkq::vk {

struct Groups { uint32_t x = 1, y = 1, z = 1; };

class CommandBuffer {
public:
	/// `timestamps`: how many timestamp() calls a recording may make.
	static Result<CommandBuffer> create(Device& device, uint32_t timestamps = 0);
	CommandBuffer(CommandBuffer&& other) noexcept;
	CommandBuffer& operator=(CommandBuffer&& other) noexcept;
	~CommandBuffer();

	Result<void> begin();

	/// Binds `buffers` to 0, 1, 2, ... and runs. `push` must have the shader's size; group counts must be within the device's limits (asserted).
	/// Where the device has no memory left to describe the buffers, submit() says so.
	void dispatch(const Pipeline& pipeline, std::span<const BufferView> buffers, const void* push, size_t push_bytes, Groups groups);
	template <class Push>
	void dispatch(const Pipeline& pipeline, std::initializer_list<BufferView> buffers, const Push& push, Groups groups) {
		dispatch(pipeline, std::span(buffers.begin(), buffers.size()), &push, sizeof push, groups);
	}

	void copy(const Buffer& from, uint64_t from_offset, const Buffer& to, uint64_t to_offset, uint64_t bytes);
	void fill(const Buffer& buffer, uint64_t offset, uint64_t bytes, uint32_t word);

	/// All that was recorded before is finished and visible (to shaders, copies and the host) before anything after starts.
	void barrier();

	/// Marks a point; read with timestampNs() after wait(). Calls are numbered from 0.
	void timestamp();

	/// Ends the recording and hands it to the queue.
	Result<void> submit();
	/// Recorded once, submitted again and again: submit() without begin() in between.
	Result<void> wait();
	Result<void> submitAndWait();
	bool inFlight() const { return in_flight_; }

	/// Nanoseconds on the device between two marks.
	Result<double> timestampNs(uint32_t from, uint32_t to) const;

private:
	CommandBuffer() = default;
	Device* device_ = nullptr;
	VkCommandPool pool_ = VK_NULL_HANDLE;
	VkCommandBuffer commands_ = VK_NULL_HANDLE;
	VkFence fence_ = VK_NULL_HANDLE;
	VkQueryPool queries_ = VK_NULL_HANDLE;
	DescriptorSets sets_;
	std::optional<Error> failure_;   // of the recording
	uint32_t query_capacity_ = 0, query_count_ = 0;
	bool recording_ = false, in_flight_ = false;
};

}  // namespace vkq::vk
