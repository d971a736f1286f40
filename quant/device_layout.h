// The device layout of a weight matrix, and how many bytes it takes: pure functions that the planner sizes with and that
// kernels/device_layout.h repacks to.
//
// File blocks of 18, 110 or 210 bytes defeat aligned wide loads. On the device a matrix [columns, rows] is up to four planes
// of 32-bit words, each plane holding one kind of thing for a fixed number of consecutive elements of a row:
//
//   plane 0  codes   the low 2 or 4 bits, all 8 bits, or whole floats
//   plane 1  high    the 1 or 2 bits that 3-, 5- and 6-bit codes have beyond that
//   plane 2  scales  one per 16 or 32 elements, where there are minimums with them
//   plane 3  super   the scale (and scale of the minimums) of 256 elements
//
// Rows come in groups of `interleave`; the words of a group's rows alternate, so that neighbouring lanes, each with a row of
// its own, load neighbouring words. Word w of row r in a plane of W words a row is at ((r / interleave) * W + w) * interleave + r % interleave:
//
//   group 0                                   group 1
//   | r0 w0 | r1 w0 | ... | r0 w1 | r1 w1 ... | r8 w0 ...
//
// Rows are padded to whole groups, every plane starts at a multiple of kPlaneAlignment. 6-bit scales are stored in a byte each
// (Q3_K, Q4_K, Q5_K, IQ4_XS; +2.3 to 5.5 % bytes), scales of 256 elements that stand alone as F32; all values stay exact.
#pragma once

#include "quant/format.h"

#include <array>
#include <cstdint>
#include <optional>

namespace vkq {

constexpr uint32_t kPlaneAlignment = 16;   // bytes
constexpr uint32_t kPlanes = 4;

/// How many consecutive elements share one 32-bit word of each plane; 0: the type has no such plane.
using ElementsPerWord = std::array<uint32_t, kPlanes>;
ElementsPerWord elementsPerWord(TensorType type);

struct DeviceLayout {
	std::array<uint64_t, kPlanes> plane_offset{};   // bytes from the tensor's (piece's) start
	std::array<uint64_t, kPlanes> plane_bytes{};    // with padded rows
	std::array<uint64_t, kPlanes> row_words{};      // 32-bit words a row
	uint64_t padded_rows = 0;
	uint64_t bytes = 0;                             // all of it, a multiple of kPlaneAlignment
};

/// The layout of a matrix, or of one piece of it. Nothing when columns are not whole blocks, a dimension is 0, or a size does not fit 63 bits.
std::optional<DeviceLayout> deviceLayout(TensorType type, uint64_t columns, uint64_t rows, uint32_t interleave);

/// Bytes of `vectors` activation vectors of `columns` elements (a multiple of 32) in 8 bits, as kernels/product.h makes them.
uint64_t quantizedActivationBytes(uint64_t columns, uint64_t vectors);

}  // namespace vkq
