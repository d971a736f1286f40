// Sums and scales of all best searches: equals quant/best_search.h, operation for operation.

// SUM32 adds term(0 .. 31) in the order of sum32(): PARTIAL is told partial sum i and its next term, in the order of k, and TREE sums the
// eight. Everything that they are assigned to is `precise`.
#define PARTIAL(partial, i, k, term) partial[i] = (k) == 0 ? (term) : partial[i] + (term)
#define TREE(p) (((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7])))

const float kBestCalm = 2.0, kLeastShare = 9.5367432e-7;   // the latter 2^-20

/// 1 / scale, and 0 for 0.
float inverseOf(float scale) {
	const bool zero = scale == 0.0;
	const float quotient = exactDivide(1.0, zero ? 1.0 : scale);
	return zero ? 0.0 : quotient;
}

/// Bits of `value` as a half; zero has no sign.
uint bestHalfBits(float value) {
	const uint bits = halfBits(value);
	return (bits & 0x7fffu) == 0u ? 0u : bits;
}

float asHalf(float value) { return halfValue(bestHalfBits(value)); }

/// By how much decoded weights y are too short, from the weighted sums of x^2 and of x y.
float stretchOf(float sum_xx, float sum_xy) {
	const bool along = sum_xy > 0.0;
	const float quotient = exactDivide(sum_xx, along ? sum_xy : 1.0);
	const float factor = along ? quotient : 1.0;
	return factor > 1.0 ? (factor < 1.25 ? factor : 1.25) : 1.0;
}

/// A block's scale stretched, as a half; the scale itself where that does not fit one.
float stretched(float scale, float factor) {
	precise float longer = scale * factor;
	const float stored = asHalf(longer);
	return isinf(stored) ? scale : stored;
}
