// One piece of a layer's K or V cache as the kernels see it: some heads, all cells.
#pragma once

#include "quant/format.h"
#include "vk/memory.h"

#include <cstdint>
#include <span>

namespace vkq {

/// The types that shaders/rotate_heads.comp encodes and shaders/attention.comp decodes; names for messages: "f16, q8_0, ...".
std::span<const TensorType> cacheTypes();
bool isCacheType(TensorType type);

/// A cache in device layout (quant/device_layout.h): rows of head_dim elements, row = head * cells + cell. Keys lie interleaved by
/// kKeyInterleave rows, values do not.
struct CachePiece {
	vk::BufferView buffer;
	TensorType type = TensorType::F16;
	uint32_t first_head = 0;   // key/value heads
	uint32_t heads = 0;
	uint32_t cells = 0;        // a multiple of kKeyInterleave
};

extern const uint32_t kKeyInterleave;

}  // namespace vkq
