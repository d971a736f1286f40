#include "planner/device_layout.h"

#include "core/bytes.h"

#include <algorithm>

namespace vkq {

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
