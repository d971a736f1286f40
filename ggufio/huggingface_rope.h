// Rope factor tensors: what config.json says in numbers and GGUF keeps as tensors.
#pragma once

#include "ggufio/huggingface_config.h"

#include <vector>

namespace vkq {

/// llama3 scaling, one factor a rotated pair, by which the run time divides its frequency. With f_k = theta^(-2k / dims) and
/// wavelength 2 pi / f_k: 1 where it is shorter than original_context / high, `factor` where it is longer than
/// original_context / low, smooth between. All in single precision, as the reference's converter computes.
std::vector<float> llama3RopeFactors(const HuggingFaceRope& rope, uint64_t rope_dims);

}  // namespace vkq
