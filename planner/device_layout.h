// How many bytes a matrix or a cache takes on a device. kernels/ repacks to exactly these sizes.
//
// A weight [columns, rows] is stored as planes (codes apart from scales, so that each can be loaded in aligned words), rows in
// groups of `interleave` (the rows of a group lie word by word beside each other, so that neighbouring lanes load
// neighbouring words). Rows are padded to whole groups, every plane starts at a multiple of kPlaneAlignment:
//
//   | plane 0: groups x blocks x interleave x plane bytes | pad | plane 1 ... | pad |
//
// Vectors (norms, biases, RoPE tables) are plain F32. The embedding table of an untied model is no device weight at all: its rows
// are gathered on the host from the mapped file.
#pragma once

#include "quant/format.h"

#include <array>
#include <cstdint>
#include <optional>

namespace vkq {

constexpr uint32_t kPlaneAlignment = 16;   // bytes

/// Bytes of each plane of one block; they sum to the block's bytes in the file. Unused planes are 0.
struct PlaneBytes {
	std::array<uint32_t, 4> bytes{};
};
PlaneBytes planesOf(TensorType type);

struct DeviceLayout {
	std::array<uint64_t, 4> plane_offset{};   // bytes from the tensor's (piece's) start
	std::array<uint64_t, 4> plane_bytes{};    // with padded rows
	uint64_t padded_rows = 0;
	uint64_t bytes = 0;                       // all of it, a multiple of kPlaneAlignment
};

/// The layout of a matrix, or of one piece of it. Nothing when columns are not whole blocks or a size does not fit 63 bits.
std::optional<DeviceLayout> deviceLayout(TensorType type, uint64_t columns, uint64_t rows, uint32_t interleave);

/// The layout of `heads` heads of a layer's K or V cache: rows of head_dim elements, one a head and cell, not interleaved.
std::optional<DeviceLayout> cacheLayout(TensorType type, uint32_t head_dim, uint32_t heads, uint64_t cells);

/// Cells that a layer's cache needs: all of the context, or for a sliding layer its window and the step being written
/// (older cells are overwritten, a ring). Rounded up to kCellAlignment.
constexpr uint32_t kCellAlignment = 32;    // tokens
uint64_t cacheCells(uint32_t context, uint32_t batch, uint32_t sliding_window_or_zero);

}  // namespace vkq
