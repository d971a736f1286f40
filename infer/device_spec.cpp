#include "infer/device_spec.h"

#include "vk/env.h"
#include "vk/memory.h"

#include <algorithm>
#include <bit>

namespace vkq {

DeviceSpec deviceSpec(const Kernels& kernels) {
	vk::Device& device = *kernels.device;
	const vk::DeviceInfo& info = device.info();
	DeviceSpec spec;
	spec.name = info.name;
	const auto type = vk::chooseMemoryType(info, vk::MemoryUse::Device, UINT32_MAX);
	const uint32_t heap = type ? info.memory_types[*type].heapIndex : 0;
	const auto heaps = vk::currentHeaps(info);
	spec.memory = heaps[heap].bytes;
	// As vk::Memory counts it: without a live budget, or with a pretended one, our own account is what is used.
	const bool live = info.features.memory_budget && !vk::environment().heap_limit;
	const uint64_t used = live ? heaps[heap].used : device.account()[heap].allocated;
	spec.available = std::min(heaps[heap].bytes, heaps[heap].budget - std::min(heaps[heap].budget, used));
	spec.unified = info.features.unified_memory;
	spec.max_allocation = info.limits.allocation;
	spec.max_storage_range = info.limits.storage_range;
	spec.offset_alignment = uint32_t(std::bit_ceil(std::max({uint64_t(spec.offset_alignment), info.limits.storage_alignment, vk::bufferAlignment(device)})));
	spec.granularity = vk::allocationGranularity(device);
	spec.interleave = kernels.variant.interleave;
	return spec;
}

}  // namespace vkq
