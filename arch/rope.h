// Rotary position embedding as plain numbers: one frequency a pair, and how long the rotated pairs become.
//
//   angle(position, i) = position * frequency[i];   (a, b) -> magnitude * (a cos - b sin, a sin + b cos)
//
// Source of the formulas: the papers of RoPE (arXiv 2104.09864) and YaRN (2309.00071), and GGUF's llama3 and longrope factor tensors.
#pragma once

#include "arch/model.h"

#include <span>
#include <vector>

namespace vkq {

struct RopeFrequencies {
	std::vector<double> frequency;   // radians a token, rope_dims / 2
	double magnitude = 1.0;
};

/// `factors` divide the frequencies: the tensor rope_freqs.weight, or rope_factors_long / _short; empty where the model has none.
RopeFrequencies ropeFrequencies(const Hyperparameters& model, bool sliding_layer, std::span<const float> factors);

/// Which factor tensor serves a context of so many tokens: "rope_freqs.weight", "rope_factors_short.weight", ...
std::string_view ropeFactorTensor(const Hyperparameters& model, uint32_t context);

}  // namespace vkq
