// What the best searches of the k-quants share: one invocation has 32 weights x[], in BEST_PARTS groups of BEST_COUNT, and how much each
// counts, w[]; without an importance matrix all count alike, and nothing is multiplied. Sums of a group are four strided sums.

const float kLowest = -3.402823466e+38;

const int kRefits = 2;   // kBestKRefits of quant/best_lanes.h

#define SUM4(s) ((s[0] + s[1]) + (s[2] + s[3]))

#ifdef IMPORTANCE
layout(binding = 3, scalar) readonly buffer Importance { float importance[]; };

float weighed(int i, float value) {
	precise float product = w[i] * value;
	return product;
}

/// Equals bestKWeights() of quant/best_k_affine.h. Whether a weight is so small or large that products might be subnormal or infinite.
bool bestKWeights(uint column) {
	const uint at = push.importance_word + column;
	uint largest = 0u, smallest = 0xffffffffu;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		const uint bits = floatBitsToUint(importance[at + i]) & 0x7fffffffu;
		largest = max(largest, bits);
		smallest = min(smallest, bits - 1u);   // zeros do not count
		w[i] = exactSqrt(importance[at + i]);
	}
	[[unroll]] for (int i = 0; i < 32; ++i) w[i] = largest == 0u ? 1.0 : w[i];
	return largest != 0u && (largest > POWER_OF_TWO(40) || smallest < POWER_OF_TWO(-40) - 1u);
}
#else
float weighed(int i, float value) { return value; }
#endif

/// Sum over the super-block, in pairs, fours and eight of its invocations. All eight get the same bits.
float superSum(float own) {
	precise float sum = own + uintBitsToFloat(superReadXor(floatBitsToUint(own), 1u));
	sum = sum + uintBitsToFloat(superReadXor(floatBitsToUint(sum), 2u));
	sum = sum + uintBitsToFloat(superReadXor(floatBitsToUint(sum), 4u));
	return sum;
}

/// A half's bits. Zero has no sign.
uint storedHalf(float value) {
	const uint bits = halfBits(value);
	return (bits & 0x7fffu) == 0u ? 0u : bits;
}

/// 1 / value, and 0 for 0.
float inverseOf(float value) {
	const bool zero = value == 0.0;
	const float quotient = exactDivide(1.0, zero ? 1.0 : value);
	return zero ? 0.0 : quotient;
}
