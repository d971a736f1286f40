// x ~ scale * (code - levels) for one group: equals searchSymmetric() of quant/scale_search.h.
//
// Defined by the includer: SYMMETRIC_COUNT weights in x[] with weights w[]. Codes are 0 .. 2 * levels - 1; `levels` is a constant
// wherever these are called.

struct SymmetricFit {
	float scale;
	float inverse;      // code = nearest(inverse * x) clamped, + levels
	bool zero;          // all weights as good as zero: every code is 0
	bool uncertain;     // sums so small that their products may be subnormal
};

float symmetricLevel(int levels, float value, float inverse) {
	precise float quotient = inverse * value;
	return nearestClamped(quotient, -levels, levels - 1);
}

uint symmetricCode(int levels, SymmetricFit fit, float value) { return fit.zero ? 0u : uint(int(symmetricLevel(levels, value, fit.inverse)) + levels); }

SymmetricFit searchSymmetric(int levels) {
	uint magnitude = 0u;
	float extreme = 0.0;
	float wx[SYMMETRIC_COUNT];
	[[unroll]] for (int i = 0; i < SYMMETRIC_COUNT; ++i) {
		const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = max(magnitude, size);
		precise float product = w[i] * x[i];
		wx[i] = product;
	}
	SymmetricFit fit = SymmetricFit(0.0, 0.0, uintBitsToFloat(magnitude) < kZeroGroup, false);
	// A zero group runs along with the others, and is put right in the end.
	if (fit.zero) extreme = 1.0;
	float best = 0.0;
	// The first is the plain one; step 0 would be the same again.
	[[dont_unroll]] for (int attempt = -10; attempt <= 9; attempt += attempt == -1 ? 2 : 1) {
		precise float offset = 0.1 * float(attempt);
		precise float numerator = float(levels) + offset;
		if (attempt == -10) numerator = float(levels);
		const float inverse = exactDivide(-numerator, extreme);
		precise float cross = 0.0, square = 0.0;
		[[unroll]] for (int i = 0; i < SYMMETRIC_COUNT; ++i) {
			const float level = symmetricLevel(levels, x[i], inverse);
			precise float a = wx[i] * level;
			precise float b = w[i] * level;
			b = b * level;
			cross = cross + a;
			square = square + b;
		}
		precise float gain = cross * cross;
		precise float bar = best * square;
		const bool first = attempt == -10;
		if (first) fit.uncertain = !(abs(cross) >= 8.8817842e-16);   // 2^-50
		// The plain attempt stands whatever its sums are.
		if (first || (square > 0.0 && gain > bar)) {
			const float scale = exactDivide(cross, square);
			fit.scale = first && square == 0.0 ? 0.0 : scale;
			fit.inverse = inverse;
			precise float merit = fit.scale * cross;
			best = merit;
		}
	}
	if (fit.zero) fit.scale = 0.0;
	fit.uncertain = fit.uncertain && !fit.zero;
	return fit;
}
