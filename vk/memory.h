// Device memory in few large allocations, buffers placed inside them, and a live account of every heap.
//
//   Memory  one VkDeviceMemory: a plan's block, or host memory imported in place
//   Buffer  a VkBuffer bound at an offset of a Memory, which it keeps alive
//
// Whoever allocates decides the layout: the runtime follows the planner's placements, the quantizer makes its slabs once.
#pragma once

#include "core/result.h"
#include "vk/device.h"

#include <vulkan/vulkan.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace vkq::vk {

enum class MemoryUse {
	Device,     // fastest for the device; mapped only where memory is unified
	Upload,     // written by the host in order, read by the device once: host-visible, coherent
	Download,   // written by the device, read by the host: host-visible, coherent, cached where there is such
};

class Memory {
public:
	/// One allocation of exactly `bytes`. kDoesNotFit when it exceeds the device's largest allocation or the heap's live budget.
	static Result<std::shared_ptr<Memory>> allocate(Device& device, uint64_t bytes, MemoryUse use);

	/// Makes host memory visible to the device without a copy. `address` and `bytes` must be multiples of limits().import_alignment;
	/// the memory must outlive the result. kUnsupported where the device or the driver refuses: take the staging path then.
	static Result<std::shared_ptr<Memory>> import(Device& device, void* address, uint64_t bytes);

	~Memory();
	Memory(const Memory&) = delete;
	Memory& operator=(const Memory&) = delete;

	Device& device() const { return device_; }
	VkDeviceMemory handle() const { return handle_; }
	uint64_t bytes() const { return bytes_; }
	uint32_t heap() const { return heap_; }
	uint32_t type() const { return type_; }
	std::byte* mapped() const { return mapped_; }   // null when the host cannot see it
	bool imported() const { return imported_; }

private:
	explicit Memory(Device& device) : device_(device) {}
	Device& device_;
	VkDeviceMemory handle_ = VK_NULL_HANDLE;
	uint64_t bytes_ = 0;
	uint32_t heap_ = 0, type_ = 0;
	std::byte* mapped_ = nullptr;
	bool imported_ = false;
};

class Buffer {
public:
	Buffer() = default;
	/// A storage, uniform and transfer buffer over [offset, offset + bytes) of `memory`. The offset must suit bufferAlignment().
	static Result<Buffer> place(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t bytes);
	/// A buffer with a Memory of its own.
	static Result<Buffer> create(Device& device, uint64_t bytes, MemoryUse use);

	Buffer(Buffer&& other) noexcept;
	Buffer& operator=(Buffer&& other) noexcept;
	~Buffer();

	explicit operator bool() const { return handle_ != VK_NULL_HANDLE; }
	VkBuffer handle() const { return handle_; }
	uint64_t bytes() const { return bytes_; }
	std::byte* mapped() const { return memory_ && memory_->mapped() ? memory_->mapped() + offset_ : nullptr; }
	VkDeviceAddress address() const { return address_; }   // 0 where the device has none
	const std::shared_ptr<Memory>& memory() const { return memory_; }

private:
	std::shared_ptr<Memory> memory_;
	VkBuffer handle_ = VK_NULL_HANDLE;
	uint64_t offset_ = 0, bytes_ = 0;
	VkDeviceAddress address_ = 0;
};

/// What a kernel binds: a window of a buffer. `offset` must suit limits().storage_alignment, `bytes` limits().storage_range.
struct BufferView {
	VkBuffer buffer = VK_NULL_HANDLE;
	uint64_t offset = 0;
	uint64_t bytes = VK_WHOLE_SIZE;
	VkDeviceAddress address = 0;   // of the window's first byte; 0 where the device has no addresses

	BufferView() = default;
	BufferView(const Buffer& whole) : BufferView(whole, 0, whole.bytes()) {}
	BufferView(const Buffer& part_of, uint64_t first, uint64_t count)
		: buffer(part_of.handle()), offset(first), bytes(count), address(part_of.address() ? part_of.address() + first : 0) {}
};

/// The alignment that offsets of buffers inside a Memory need on this device, bytes: asked of the driver once.
uint64_t bufferAlignment(Device& device);

/// What allocations are rounded up to, bytes, a power of two: the most of the driver's own size for a buffer of one byte, of how far its
/// live budget moves for an allocation of one byte (the driver does not say otherwise what it takes from the kernel), and of 64 KiB, the
/// page of today's GPUs. A software device's budget is the whole machine's, so it is not looked at.
uint64_t allocationGranularity(Device& device);

/// The memory type for `use`, or nothing; `allowed` is a bit mask of types. Device memory prefers the largest device-local heap by
/// live budget; Upload and Download prefer heaps that are not device-local on discrete devices.
Result<uint32_t> chooseMemoryType(const DeviceInfo& info, MemoryUse use, uint32_t allowed);

}  // namespace vkq::vk
