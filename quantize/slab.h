// A slab: some consecutive rows of one tensor, the unit of work of the pipeline.
#pragma once

#include "ggufio/gguf_reader.h"

#include <algorithm>
#include <cstdint>

namespace vkq {

struct Slab {
	size_t tensor = 0;        // of the source
	uint64_t first_row = 0;
	uint64_t rows = 0;
};

/// The rows that come after `row`: about `weights` of them, and never across a matrix of a 3-D tensor, since each expert
/// has an importance of its own.
inline Slab nextSlab(const TensorInfo& info, size_t tensor, uint64_t row, uint64_t weights) {
	const uint64_t wanted = std::max<uint64_t>(1, weights / std::max<uint64_t>(1, info.ne[0]));
	const uint64_t left_of_matrix = info.ne[1] - row % info.ne[1];
	return {tensor, row, std::min(wanted, left_of_matrix)};
}

}  // namespace vkq
