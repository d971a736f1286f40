// What the best searches share: equals quant/best_search.h, operation for operation.
//
// Defined by the includer: x[32], and with IMPORTANCE w[32].

#ifdef IMPORTANCE
#define WEIGH(j, value) (w[j] * (value))
#else
#define WEIGH(j, value) (value)
#endif

#include "include/encode/best_scale.glsl"
#ifdef IMPORTANCE
#include "include/encode/best_weights.glsl"
#endif

/// The weight of largest magnitude, with its sign; the first of equals. Equals signedExtreme32().
float signedExtreme() {
	uint magnitude = 0u;
	float extreme = 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = max(magnitude, size);
	}
	return extreme;
}

// A comparison of scores or errors is safe from flushed subnormals while what is compared is not small: addends below 2^-126 do not
// reach the last bit of sums above 2^-100.
const float kSafeScore = 8.6736174e-19;    // 2^-60
const float kSafeError = 8.0779357e-28;    // 2^-90
