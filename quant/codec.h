// Host encoders and decoders: the oracle that every shader must equal, byte for byte.
//
// Each format lives in a file of its own (quant/q4_k.cpp, ...) with its layout drawn at the top. Arithmetic is the
// reference's: single precision, separate multiply and add, sums in index order (compiled with -ffp-contract=off).
#pragma once

#include "quant/format.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

/// Encodes one row. `x` is row_elements floats, a whole number of blocks, all finite. `importance`, if not null, is row_elements
/// weights >= 0 (quant/imatrix.h); types that ignore it in the reference ignore it here. Rows are independent.
/// Writes typeBytes(type, row_elements) bytes to `out`. `type` must have a codec.
void encodeRow(TensorType type, const float* x, uint64_t row_elements, const float* importance, std::byte* out);

/// Decodes `elements` (whole blocks) to floats. `type` must have a codec.
void decodeRow(TensorType type, const std::byte* in, uint64_t elements, float* out);

/// True if every scale of every block is finite: what must hold of each tensor before it is written.
bool scalesAreFinite(TensorType type, const std::byte* in, uint64_t elements);

/// Whether encodeRow() gives other bytes with an importance than without one.
bool usesImportance(TensorType type);

}  // namespace vkq
