#include "vk/memory.h"

#include "core/bytes.h"
#include "vk/check.h"
#include "vk/env.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace vkq::vk {

namespace {

constexpr VkBufferUsageFlags kUsage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_UNIFORM_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_DST_BIT;

double mebibytes(uint64_t bytes) { return double(bytes) / (1 << 20); }

Result<VkBuffer> createHandle(Device& device, uint64_t bytes, bool imported) {
	VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
	info.size = bytes;
	info.usage = kUsage;
	if (device.features().buffer_device_address) info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
	VkExternalMemoryBufferCreateInfo external{VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO};
	external.handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
	if (imported) info.pNext = &external;
	VkBuffer handle = VK_NULL_HANDLE;
	VKQ_VK_TRY(vkCreateBuffer(device.handle(), &info, nullptr, &handle));
	return handle;
}

Result<VkMemoryRequirements> requirements(Device& device, uint64_t bytes, bool imported) {
	VKQ_TRY(const VkBuffer probe, createHandle(device, bytes, imported));
	VkMemoryRequirements needs;
	vkGetBufferMemoryRequirements(device.handle(), probe, &needs);
	vkDestroyBuffer(device.handle(), probe, nullptr);
	return needs;
}

}  // namespace

Result<uint32_t> chooseMemoryType(const DeviceInfo& info, MemoryUse use, uint32_t allowed) {
	constexpr VkMemoryPropertyFlags kMapped = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
	const auto heaps = currentHeaps(info);
	int best = -1;
	double best_score = -1;
	for (uint32_t i = 0; i < info.memory_types.size(); ++i) {
		if (!(allowed >> i & 1)) continue;
		const VkMemoryPropertyFlags flags = info.memory_types[i].propertyFlags;
		if (flags & (VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT)) continue;
		const bool local = flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
		const bool cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
		double score;
		if (use == MemoryUse::Device) {
			// Among equal heaps a type that the host cannot see is the driver's first choice, except where memory is unified.
			const bool mapped = (flags & kMapped) == kMapped;
			score = (local ? 4 : 0) + (mapped == info.features.unified_memory ? 2 : 0) + (mapped && cached && info.features.unified_memory ? 0.5 : 0);
		} else {
			if ((flags & kMapped) != kMapped) continue;
			score = (local == info.features.unified_memory ? 4 : 0) + (cached == (use == MemoryUse::Download) || info.features.unified_memory ? 2 : 0);
		}
		score += 1e-3 * double(heaps[info.memory_types[i].heapIndex].budget) / double(1ull << 50);   // ties: the roomier heap
		if (score > best_score) {
			best_score = score;
			best = int(i);
		}
	}
	if (best < 0) return fail(ErrorCode::kUnsupported, fmt::format("device '{}' has no memory type for this use", info.name));
	return uint32_t(best);
}

uint64_t bufferAlignment(Device& device) {
	const auto needs = requirements(device, 1 << 16, false);
	return std::max<uint64_t>({needs ? needs->alignment : 256, device.limits().storage_alignment, device.limits().uniform_alignment, 16});
}

namespace {

/// How far the budget's use moves for one byte, if it does so twice alike; else 0.
uint64_t measuredPage(Device& device) {
	uint64_t moved[2]{};
	for (uint64_t& bytes : moved) {
		const auto used = [&](uint32_t heap) { return currentHeaps(device.info())[heap].used; };
		const auto type = chooseMemoryType(device.info(), MemoryUse::Device, UINT32_MAX);
		if (!type) return 0;
		const uint32_t heap = device.info().memory_types[*type].heapIndex;
		const uint64_t before = used(heap);
		const auto one = Memory::allocate(device, 1, MemoryUse::Device);
		if (!one) return 0;
		const uint64_t after = used(heap);
		bytes = after > before ? after - before : 0;
	}
	constexpr uint64_t kLargestPage = 2 << 20;   // what is more is not a page, but a pool, or somebody else's allocation
	return moved[0] == moved[1] && std::has_single_bit(moved[0]) && moved[0] <= kLargestPage ? moved[0] : 0;
}

}  // namespace

uint64_t allocationGranularity(Device& device) {
	constexpr uint64_t kUsualPage = 64 << 10;
	const auto needs = requirements(device, 1, false);
	const uint64_t own = needs ? std::bit_ceil(std::max<uint64_t>({needs->size, needs->alignment, 1})) : 0;
	const bool measurable = device.features().memory_budget && !device.info().software() && !environment().heap_limit;
	return std::max({kUsualPage, own, measurable ? measuredPage(device) : 0});
}

Result<std::shared_ptr<Memory>> Memory::allocate(Device& device, uint64_t bytes, MemoryUse use) {
	if (bytes == 0) return fail(ErrorCode::kUsage, "an allocation of 0 bytes was asked for");
	if (bytes > device.limits().allocation)
		return fail(ErrorCode::kDoesNotFit, fmt::format("{:.1f} MiB in one piece, but device '{}' allocates at most {:.1f} MiB at once", mebibytes(bytes), device.info().name,
		                                                mebibytes(device.limits().allocation)));
	VKQ_TRY(const VkMemoryRequirements needs, requirements(device, std::min<uint64_t>(bytes, 1 << 20), false));
	VKQ_TRY(const uint32_t type, chooseMemoryType(device.info(), use, needs.memoryTypeBits));
	std::shared_ptr<Memory> memory(new Memory(device));
	const uint32_t heap_index = device.info().memory_types[type].heapIndex;

	const HeapInfo heap = currentHeaps(device.info())[heap_index];
	// Without a live budget of the driver, our own account is what is known of the heap's use.
	const uint64_t used = device.features().memory_budget && !environment().heap_limit ? heap.used : device.account()[heap_index].allocated;
	if (heap.budget != 0 && (used > heap.budget || bytes > heap.budget - used))
		return fail(ErrorCode::kDoesNotFit, fmt::format("{:.1f} MiB are wanted on device '{}', but heap {} has {:.1f} MiB left of a budget of {:.1f} MiB", mebibytes(bytes),
		                                                device.info().name, heap_index, mebibytes(heap.budget - std::min(used, heap.budget)), mebibytes(heap.budget)),
		            "close other programs that use this device, or choose a smaller type or context");
	VKQ_CHECK(device.checkAllocationFault());

	VkMemoryAllocateInfo info{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
	info.allocationSize = bytes;
	info.memoryTypeIndex = type;
	VkMemoryAllocateFlagsInfo flags{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO};
	flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
	if (device.features().buffer_device_address) info.pNext = &flags;
	VKQ_VK_TRY(vkAllocateMemory(device.handle(), &info, nullptr, &memory->handle_));
	memory->bytes_ = bytes;
	memory->type_ = type;
	memory->heap_ = heap_index;
	device.countAllocation(heap_index, bytes);
	if (device.info().memory_types[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) {
		void* address = nullptr;
		VKQ_VK_TRY(vkMapMemory(device.handle(), memory->handle_, 0, VK_WHOLE_SIZE, 0, &address));
		memory->mapped_ = static_cast<std::byte*>(address);
	}
	return memory;
}

Result<std::shared_ptr<Memory>> Memory::import(Device& device, void* address, uint64_t bytes) {
	const uint64_t alignment = device.limits().import_alignment;
	if (!alignment || !device.getMemoryHostPointerProperties || environment().no_import)
		return fail(ErrorCode::kUnsupported, fmt::format("device '{}' cannot import host memory", device.info().name));
	assert(reinterpret_cast<uintptr_t>(address) % alignment == 0 && bytes % alignment == 0 && bytes > 0);

	VkMemoryHostPointerPropertiesEXT properties{VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
	if (device.getMemoryHostPointerProperties(device.handle(), VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, address, &properties) != VK_SUCCESS)
		return fail(ErrorCode::kUnsupported, fmt::format("device '{}' cannot import this host memory", device.info().name));
	VKQ_TRY(const VkMemoryRequirements needs, requirements(device, std::min<uint64_t>(bytes, 1 << 20), true));
	const uint32_t allowed = properties.memoryTypeBits & needs.memoryTypeBits;
	if (!allowed) return fail(ErrorCode::kUnsupported, fmt::format("device '{}' has no memory type for imported host memory", device.info().name));

	std::shared_ptr<Memory> memory(new Memory(device));
	VkImportMemoryHostPointerInfoEXT pointer{VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT};
	pointer.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
	pointer.pHostPointer = address;
	VkMemoryAllocateFlagsInfo flags{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO};
	flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
	if (device.features().buffer_device_address) pointer.pNext = &flags;
	VkMemoryAllocateInfo info{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, &pointer};
	info.allocationSize = bytes;
	info.memoryTypeIndex = uint32_t(__builtin_ctz(allowed));
	if (vkAllocateMemory(device.handle(), &info, nullptr, &memory->handle_) != VK_SUCCESS)
		return fail(ErrorCode::kUnsupported, fmt::format("device '{}' refused to import host memory", device.info().name));
	memory->bytes_ = bytes;
	memory->type_ = info.memoryTypeIndex;
	memory->heap_ = device.info().memory_types[memory->type_].heapIndex;
	memory->mapped_ = static_cast<std::byte*>(address);
	memory->imported_ = true;
	return memory;
}

Memory::~Memory() {
	if (!handle_) return;
	vkFreeMemory(device_.handle(), handle_, nullptr);
	if (!imported_) device_.countRelease(heap_, bytes_);
}

Result<Buffer> Buffer::place(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t bytes) {
	assert(offset + bytes <= memory->bytes());
	Device& device = memory->device();
	Buffer buffer;
	VKQ_TRY(buffer.handle_, createHandle(device, bytes, memory->imported()));
	buffer.memory_ = std::move(memory);
	buffer.offset_ = offset;
	buffer.bytes_ = bytes;
	VKQ_VK_TRY(vkBindBufferMemory(device.handle(), buffer.handle_, buffer.memory_->handle(), offset));
	if (device.features().buffer_device_address) {
		VkBufferDeviceAddressInfo address{VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO};
		address.buffer = buffer.handle_;
		buffer.address_ = vkGetBufferDeviceAddress(device.handle(), &address);
	}
	return buffer;
}

Result<Buffer> Buffer::create(Device& device, uint64_t bytes, MemoryUse use) {
	VKQ_TRY(const VkMemoryRequirements needs, requirements(device, bytes, false));
	VKQ_TRY(auto memory, Memory::allocate(device, needs.size, use));
	return place(std::move(memory), 0, bytes);
}

Buffer::Buffer(Buffer&& other) noexcept
	: memory_(std::move(other.memory_)), handle_(std::exchange(other.handle_, VK_NULL_HANDLE)), offset_(other.offset_), bytes_(other.bytes_),
	  address_(other.address_) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
	std::swap(memory_, other.memory_);
	std::swap(handle_, other.handle_);
	std::swap(offset_, other.offset_);
	std::swap(bytes_, other.bytes_);
	std::swap(address_, other.address_);
	return *this;
}

Buffer::~Buffer() {
	if (handle_) vkDestroyBuffer(memory_->device().handle(), handle_, nullptr);
}

}  // namespace vkq::vk
