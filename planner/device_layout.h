// How many bytes a cache takes on a device. Weights: quant/device_layout.h.
//
// Vectors (norms, biases, RoPE tables) are plain F32. The embedding table of an untied model is no device weight at all: its rows
// are gathered on the host from the mapped file.
#pragma once

#include "quant/device_layout.h"

namespace vkq {

/// The layout of `heads` heads of a layer's K or V cache: rows of head_dim elements, one a head and cell, not interleaved.
std::optional<DeviceLayout> cacheLayout(TensorType type, uint32_t head_dim, uint32_t heads, uint64_t cells);

/// Cells that a layer's cache needs: all of the context, or for a sliding layer its window and the step being written
/// (older cells are overwritten, a ring). Rounded up to kCellAlignment.
constexpr uint32_t kCellAlignment = 32;    // tokens
uint64_t cacheCells(uint32_t context, uint32_t batch, uint32_t sliding_window_or_zero);

}  // namespace vkq
