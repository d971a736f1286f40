#include "quant/iq4.h"

#include "quant/block_codec.h"
#include "quant/scale_search.h"

namespace vkq {

VKQ_SIMD_CLONES void nearestIq4Codes(const float* x, float inverse_scale, uint8_t* codes) {
	int32_t code[32] = {};
	for (int i = 0; i < 15; ++i)
		for (int j = 0; j < 32; ++j) code[j] += !(inverse_scale * x[j] < iq4Middle(i));
	for (int j = 0; j < 32; ++j) codes[j] = uint8_t(code[j]);
}

float searchIq4Scale(const float* x, const float* weights) {
	float magnitude;
	const float extreme = signedExtreme(x, 32, &magnitude);
	if (magnitude < kZeroGroup) return 0;

	float cross, square;
	auto attempt = [&](float inverse_scale) {
		uint8_t codes[32];
		nearestIq4Codes(x, inverse_scale, codes);
		cross = square = 0;
		for (int j = 0; j < 32; ++j) {
			const float value = kIq4Values[codes[j]];
			const float w = weights ? weights[j] : x[j] * x[j];
			cross += w * value * x[j];
			square += w * value * value;
		}
	};

	attempt(1 / (-extreme / float(kIq4Values[0])));
	float scale = square > 0 ? cross / square : 0.0f;
	float best = scale * cross;
	for (int step = kIq4Plain + 1; step <= kIq4LastStep; ++step) {
		attempt(float(step + kIq4Values[0]) / extreme);
		if (square > 0 && cross * cross > best * square) {
			scale = cross / square;
			best = scale * cross;
		}
	}
	return scale;
}

}  // namespace vkq
