#include "quant/activation_rounding.h"

#include "core/half.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace vkq {

ActivationRounding referenceRounding(TensorType weights) {
	switch (weights) {
		case TensorType::F32: return ActivationRounding::None;
		case TensorType::F16: return ActivationRounding::Half;
		case TensorType::BF16: return ActivationRounding::Bfloat;
		default: return typeInfo(weights).block_elements == 256 ? ActivationRounding::Bits8Per256 : ActivationRounding::Bits8Per32;
	}
}

void roundActivations(ActivationRounding rounding, std::span<float> row) {
	if (rounding == ActivationRounding::None) return;
	const uint32_t block = roundingBlock(rounding);
	assert(row.size() % block == 0);
	if (block == 1) {
		for (float& x : row) x = rounding == ActivationRounding::Half ? halfToFloat(floatToHalf(x)) : bfloatToFloat(floatToBfloat(x));
		return;
	}
	for (; !row.empty(); row = row.subspan(block)) {
		float largest = 0;
		for (const float x : row.first(block)) largest = std::max(largest, std::fabs(x));
		const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
		float scale = largest / 127.0f;
		if (rounding == ActivationRounding::Bits8Per32) scale = halfToFloat(floatToHalf(scale));
		for (float& x : row.first(block)) x = scale * std::nearbyint(x * inverse);
	}
}

}  // namespace vkq
