// What the best searches share: equals quant/best_search.h, operation for operation.
//
// Defined by the includer: x[32], and with IMPORTANCE w[32] and the inclusion of best_weights.glsl.

#ifdef IMPORTANCE
#define WEIGH(j, value) (w[j] * (value))
#else
#define WEIGH(j, value) (value)
#endif

// SUM32 adds term(0 .. 31) in the order of sum32(): PARTIAL is told partial sum i and its next term, in the order of k, and TREE sums the
// eight. Everything that they are assigned to is `precise`.
#define PARTIAL(partial, i, k, term) partial[i] = (k) == 0 ? (term) : partial[i] + (term)
#define TREE(p) (((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7])))

float inverseOf(float scale) { return scale != 0.0 ? exactDivide(1.0, scale) : 0.0; }

/// Bits of `value` as a half; zero has no sign.
uint bestHalfBits(float value) {
	const uint bits = halfBits(value);
	return (bits & 0x7fffu) == 0u ? 0u : bits;
}

float asHalf(float value) { return halfValue(bestHalfBits(value)); }

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
