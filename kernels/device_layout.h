// Repacks weights from file blocks to the device layout of quant/device_layout.h, and says how a shader reads each type.
#pragma once

#include "quant/device_layout.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

/// How a type's planes are coded: the VKQ_CODES_, VKQ_SCALES_ and VKQ_TABLE_ values of shaders/shared/product.h, which the
/// shaders are specialized with.
struct DeviceCoding {
	uint32_t codes = 0;
	uint32_t scales = 0;
	uint32_t offset = 0;   // taken from every code: element = scale * (code - offset) + minimum
	uint32_t table = 0;    // element = scale * table[code]
};
DeviceCoding deviceCoding(TensorType type);

/// Writes rows [first, first + count) of a matrix whose layout is `layout` at `out`, the start of the whole matrix. `rows` are the
/// file's bytes of these rows alone. `first` must be a multiple of `interleave`, and so must `count` unless the rows are the last;
/// the padding of the last group is zeroed. Writes ascend within each plane, as write-combined memory likes. Slabs may be written by several threads.
void repackRows(TensorType type, const DeviceLayout& layout, uint64_t columns, uint32_t interleave, uint64_t first, uint64_t count,
                const std::byte* rows, std::byte* out);

}  // namespace vkq
