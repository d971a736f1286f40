// How the reference's CPU backend rounds what a weight is multiplied with. It never multiplies by single-precision inputs: each type of
// weights has one form that a row of inputs is brought into first, and the product is then exact up to the order of its sums. A measurement that is to equal the
// reference's must round alike; a measurement of the weights alone must not round at all.
#pragma once

#include "quant/format.h"

#include <cstdint>
#include <span>

namespace vkq {

/// What products are given.
enum class InputPrecision : uint32_t {
	Device,      // what the device multiplies fastest: 8 bits per 32 on software devices, single precision on others
	Float,       // single precision everywhere: no error but the weights'
	Bits8,       // 8 bits per 32 wherever weights are block-coded
	Reference,   // rounded as the reference's CPU backend does, by the weights' type; then multiplied in single precision
};

enum class ActivationRounding : uint32_t {
	None,        // of F32 weights
	Half,        // of F16 weights
	Bfloat,      // of BF16 weights
	Bits8Per32,  // of types with blocks of 32: code = round(127 x / max|x|), times max|x| / 127 in half precision
	Bits8Per256, // of types with super-blocks: the same over 256, the scale in single precision
};

ActivationRounding referenceRounding(TensorType weights);

/// Rounds a row in place; its length must divide by the rounding's block. The oracle of shaders/round_activations.comp.
void roundActivations(ActivationRounding rounding, std::span<float> row);

/// Elements that share a scale; 1 where there is none.
constexpr uint32_t roundingBlock(ActivationRounding rounding) {
	return rounding == ActivationRounding::Bits8Per32 ? 32 : rounding == ActivationRounding::Bits8Per256 ? 256 : 1;
}

}  // namespace vkq
