#include "arch/rope.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace vkq {

namespace {

/// The pair whose wavelength turns `rotations` times within the original context.
double pairOfRotations(const Hyperparameters& model, double base, double rotations) {
	return model.rope_dims * std::log(model.rope_ctx_original / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(base));
}

}  // namespace

RopeFrequencies ropeFrequencies(const Hyperparameters& model, bool sliding_layer, std::span<const float> factors) {
	assert(factors.empty() || factors.size() == model.rope_dims / 2);
	const double base = sliding_layer ? model.rope_base_swa : model.rope_base;
	// Gemma 3 stretches only the layers that see the whole context.
	const bool scaled = !(sliding_layer && model.arch == Architecture::Gemma3);
	const double stretch = scaled && (model.rope_scaling == RopeScaling::Linear || model.rope_scaling == RopeScaling::Yarn) ? model.rope_factor : 1.0;
	const bool yarn = scaled && model.rope_scaling == RopeScaling::Yarn && model.yarn_ext_factor != 0.0f;

	RopeFrequencies rope;
	rope.magnitude = scaled ? model.rope_attention_factor : 1.0;
	if (yarn) rope.magnitude *= 1.0 + 0.1 * std::log(stretch);
	const double low = yarn ? std::max(0.0, std::floor(pairOfRotations(model, base, model.yarn_beta_fast))) : 0.0;
	const double high = yarn ? std::min(model.rope_dims - 1.0, std::ceil(pairOfRotations(model, base, model.yarn_beta_slow))) : 0.0;

	rope.frequency.resize(model.rope_dims / 2);
	for (size_t i = 0; i < rope.frequency.size(); ++i) {
		const double plain = std::pow(base, -2.0 * double(i) / model.rope_dims) / (factors.empty() ? 1.0 : factors[i]);
		// YaRN keeps fast pairs as they are and stretches slow ones, with a ramp between.
		const double kept = yarn ? (1.0 - std::clamp((double(i) - low) / std::max(0.001, high - low), 0.0, 1.0)) * model.yarn_ext_factor : 0.0;
		rope.frequency[i] = plain / stretch * (1.0 - kept) + plain * kept;
	}
	return rope;
}

std::string_view ropeFactorTensor(const Hyperparameters& model, uint32_t context) {
	if (model.rope_scaling != RopeScaling::LongRope) return "rope_freqs.weight";
	return context > model.rope_ctx_original ? "rope_factors_long.weight" : "rope_factors_short.weight";
}

}  // namespace vkq
