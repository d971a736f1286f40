// Encodes rows on the host with the plain encoders of quant/: the oracle at work, on every core.
#pragma once

#include "core/result.h"
#include "ggufio/model_source.h"
#include "quant/distortion.h"
#include "quant/format.h"
#include "quant/search.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

struct RowBlock {
	TensorType type;             // as stored
	const std::byte* bytes;      // rows * typeBytes(type, row_elements)
	uint64_t rows;
	uint64_t row_elements;
};

/// Encodes all rows to `out`. `importance`: row_elements values, or null. False if a source value is not finite.
bool encodeRowsOnHost(const RowBlock& source, TensorType to, const float* importance, Search search, unsigned threads, std::byte* out);

/// Whether every value of an F32, F16 or BF16 block is finite; other types are looked at by their scales.
bool rowsAreFinite(const RowBlock& source, unsigned threads);

/// What is said of a tensor of which that is false.
Error notFiniteError(const ModelSource& source, const TensorInfo& info);

/// Rows as floats.
void decodeRowsOnHost(const RowBlock& source, unsigned threads, float* out);

/// Compares decoded floats with the source, row after row.
void compareRows(const RowBlock& source, const float* decoded, const float* importance, Distortion& distortion);

}  // namespace vkq
