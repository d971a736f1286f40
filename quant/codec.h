// Host encoders and decoders: the oracle that every shader must equal, byte for byte.
//
// Each format lives in a file of its own (quant/q4_k.cpp, ...) with its layout drawn at the top. Arithmetic is the
// reference's: single precision, separate multiply and add, sums in index order (compiled with -ffp-contract=off). Encoders that search
// further than the reference are in files beside these (quant/best_q4_0.cpp, ...), and keep to the same arithmetic.
#pragma once

#include "quant/format.h"
#include "quant/search.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

/// Encodes one row. `x` is row_elements floats, a whole number of blocks, all finite. `importance`, if not null, is row_elements
/// weights >= 0 (quant/imatrix.h); types that have no use for it ignore it: usesImportance(). Rows are independent.
/// Writes typeBytes(type, row_elements) bytes to `out`. `type` must have a codec.
void encodeRow(TensorType type, const float* x, uint64_t row_elements, const float* importance, std::byte* out, Search search = Search::kReference);

/// Decodes `elements` (whole blocks) to floats. `type` must have a codec.
void decodeRow(TensorType type, const std::byte* in, uint64_t elements, float* out);

/// True if every scale of every block is finite: what must hold of each tensor before it is written.
bool scalesAreFinite(TensorType type, const std::byte* in, uint64_t elements);

/// Whether encodeRow() gives other bytes with an importance than without one.
bool usesImportance(TensorType type, Search search = Search::kReference);

/// Whether the type has an encoder of its own for Search::kBest. Without one kBest gives the bytes of kReference.
bool hasBestSearch(TensorType type);

}  // namespace vkq
