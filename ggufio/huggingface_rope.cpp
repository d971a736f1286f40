#include "ggufio/huggingface_rope.h"

#include <cmath>
#include <numbers>

namespace vkq {

std::vector<float> llama3RopeFactors(const HuggingFaceRope& rope, uint64_t rope_dims) {
	const float theta = float(rope.theta.value_or(10000.0)), factor = float(*rope.factor);
	const float low = float(rope.low_frequency_factor), high = float(rope.high_frequency_factor);
	const float context = float(*rope.original_context);
	std::vector<float> factors;
	for (uint64_t k = 0; k < rope_dims / 2; ++k) {
		const float frequency = 1.0f / std::pow(theta, float(2 * k) / float(rope_dims));
		const float wavelength = 2.0f * std::numbers::pi_v<float> / frequency;
		if (wavelength < context / high) {
			factors.push_back(1.0f);
		} else if (wavelength > context / low) {
			factors.push_back(factor);
		} else {
			const float smooth = (context / wavelength - low) / (high - low);
			factors.push_back(1.0f / ((1.0f - smooth) / factor + smooth));
		}
	}
	return factors;
}

}  // namespace vkq
