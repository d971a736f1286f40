// x ~ scale * kIq4Values[code] for 32 weights: equals searchIq4Scale() of quant/iq4.cpp.
//
// Defined by the includer: x[32] with weights w[32].

#include "include/encode/iq4_nearest.glsl"

struct Iq4Fit {
	float scale;
	bool uncertain;
};

Iq4Fit searchIq4() {
	uint magnitude = 0u;
	float extreme = 0.0;
	[[unroll]] for (int i = 0; i < 32; ++i) {
		const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = max(magnitude, size);
	}
	const bool zero = uintBitsToFloat(magnitude) < kZeroGroup;
	if (zero) extreme = 1.0;
	Iq4Fit fit = Iq4Fit(0.0, false);
	float best = 0.0;
	[[dont_unroll]] for (int attempt = -8; attempt <= 7; ++attempt) {
		const bool first = attempt == -8;
		const float inverse = first ? exactDivide(1.0, exactDivide(-extreme, -127.0)) : exactDivide(float(attempt - 127), extreme);
		precise float cross = 0.0, square = 0.0;
		[[unroll]] for (int i = 0; i < 32; ++i) {
			precise float quotient = inverse * x[i];
			const float value = iq4Value(quotient);
			precise float weighted = w[i] * value;
			precise float a = weighted * x[i];
			precise float b = weighted * value;
			cross = cross + a;
			square = square + b;
		}
		precise float gain = cross * cross;
		precise float bar = best * square;
		if (first) fit.uncertain = !(abs(cross) >= 8.8817842e-16);   // 2^-50
		if (first || (square > 0.0 && gain > bar)) {
			fit.scale = square > 0.0 ? exactDivide(cross, square) : 0.0;
			precise float merit = fit.scale * cross;
			best = merit;
		}
	}
	if (zero) fit = Iq4Fit(0.0, false);
	return fit;
}
