// Where encoded tensors go: one GGUF, or the shards of a split one.
#pragma once

#include "core/bytes.h"
#include "core/result.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

class TensorSink {
public:
	virtual ~TensorSink() = default;

	/// Bytes [at, at + bytes.size()) of tensor `index` of the plan.
	virtual Result<void> write(size_t index, uint64_t at, Bytes bytes) = 0;
	/// Tensor `index` is complete.
	virtual Result<void> tensorDone(size_t index) = 0;
};

}  // namespace vkq
