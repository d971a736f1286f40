#include "infer/device_spec.h"

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
	spec.available = std::min(heaps[heap].bytes, heaps[heap].budget - std::min(heaps[heap].budget, heaps[heap].used));
	spec.unified = info.features.unified_memory;
	spec.max_allocation = info.limits.allocation;
	spec.max_storage_range = info.limits.storage_range;
	spec.offset_alignment = uint32_t(std::bit_ceil(std::max({uint64_t(spec.offset_alignment), info.limits.storage_alignment, vk::bufferAlignment(device)})));
	spec.interleave = kernels.variant.interleave;
	return spec;
}

}  // namespace vkq
