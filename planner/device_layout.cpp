#include "planner/device_layout.h"

#include "core/bytes.h"

#include <algorithm>
#include <cassert>

namespace vkq {

PlaneBytes planesOf(TensorType type) {
	switch (type) {
		case TensorType::Q4_0: case TensorType::IQ4_NL: return {{16, 2}};        // codes, scale
		case TensorType::Q4_1: return {{16, 4}};                                 // codes, scale and minimum
		case TensorType::Q5_0: return {{16, 4, 2}};                              // low bits, high bits, scale
		case TensorType::Q5_1: return {{16, 4, 4}};
		case TensorType::Q8_0: return {{32, 2}};
		case TensorType::MXFP4: return {{16, 1}};                                // codes, exponent
		case TensorType::Q2_K: return {{64, 16, 4}};                             // codes, sub-block scales, super-block scales
		case TensorType::Q3_K: return {{64, 32, 12, 2}};                         // low bits, high bits, sub-block scales, scale
		case TensorType::Q4_K: return {{128, 12, 4}};
		case TensorType::Q5_K: return {{128, 32, 12, 4}};
		case TensorType::Q6_K: return {{128, 64, 16, 2}};
		case TensorType::IQ4_XS: return {{128, 4, 2, 2}};
		default: return {{typeInfo(type).block_bytes}};
	}
}

std::optional<DeviceLayout> deviceLayout(TensorType type, uint64_t columns, uint64_t rows, uint32_t interleave) {
	assert(interleave > 0);
	const uint32_t block = typeInfo(type).block_elements;
	if (columns == 0 || rows == 0 || columns % block) return std::nullopt;

	DeviceLayout layout;
	const auto padded = checkedMul(divideUp(rows, interleave), interleave);
	if (!padded) return std::nullopt;
	layout.padded_rows = *padded;
	const auto blocks = checkedMul(*padded, columns / block);
	if (!blocks) return std::nullopt;

	const PlaneBytes planes = planesOf(type);
	for (size_t plane = 0; plane < planes.bytes.size(); ++plane) {
		const auto bytes = checkedMul(*blocks, planes.bytes[plane]);
		if (!bytes || *bytes > uint64_t(INT64_MAX) - kPlaneAlignment - layout.bytes) return std::nullopt;
		layout.plane_offset[plane] = layout.bytes;
		layout.plane_bytes[plane] = *bytes;
		layout.bytes = alignUp(layout.bytes + *bytes, kPlaneAlignment);
	}
	return layout;
}

std::optional<DeviceLayout> cacheLayout(TensorType type, uint32_t head_dim, uint32_t heads, uint64_t cells) {
	const auto rows = checkedMul(heads, cells);
	return rows ? deviceLayout(type, head_dim, *rows, 1) : std::nullopt;
}

uint64_t cacheCells(uint32_t context, uint32_t batch, uint32_t sliding_window_or_zero) {
	const uint64_t all = alignUp(context, kCellAlignment);
	if (sliding_window_or_zero == 0) return all;
	return std::min(all, alignUp(uint64_t(sliding_window_or_zero) + batch, kCellAlignment));
}

}  // namespace vkq
