// A model's tensors as they would be in a file type that need not exist yet: "this F16 as Q4_K_M".
#pragma once

#include "arch/model.h"
#include "quant/mixture.h"

#include <span>
#include <vector>

namespace vkq {

/// `tensors` (processing order) with the types and sizes that the quantizer would give them.
Result<std::vector<TensorInfo>> tensorsAs(const MixtureModel& model, std::span<const TensorInfo> tensors, const FileTypeInfo& type);

/// `tensors` with a type each from `types` (as many, same order) and the sizes that follow: a choice of one's own, to be planned by solve().
Result<std::vector<TensorInfo>> tensorsWith(std::span<const TensorInfo> tensors, std::span<const TensorType> types);

/// Bytes of all tensors as a GGUF's data section stores them (each padded to 32).
uint64_t dataBytes(std::span<const TensorInfo> tensors);

/// 8 * bytes / elements, over all tensors.
double bitsPerWeight(std::span<const TensorInfo> tensors);

}  // namespace vkq
