// x ~ scale * (code - levels) for groups of SYMMETRIC_COUNT weights in x[] with weights w[], group after group: equals
// searchSymmetric() of quant/scale_search.h. Codes are 0 .. 2 * levels - 1; `levels` is a constant wherever these are called.
//
// Defined by the includer: SYMMETRIC_GROUPS, how many groups are searched at once: their sums, chains of dependent additions,
// fill the gaps of one another.

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

/// Of the first `groups` groups: a constant, at most SYMMETRIC_GROUPS.
void searchSymmetric(int levels, int groups, out SymmetricFit fit[SYMMETRIC_GROUPS]) {
	float extreme[SYMMETRIC_GROUPS], best[SYMMETRIC_GROUPS];
	float wx[SYMMETRIC_GROUPS * SYMMETRIC_COUNT];
	[[unroll]] for (int g = 0; g < groups; ++g) {
		uint magnitude = 0u;
		extreme[g] = 0.0;
		[[unroll]] for (int j = 0; j < SYMMETRIC_COUNT; ++j) {
			const int i = g * SYMMETRIC_COUNT + j;
			const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
			extreme[g] = size > magnitude ? x[i] : extreme[g];
			magnitude = max(magnitude, size);
			precise float product = w[i] * x[i];
			wx[i] = product;
		}
		fit[g] = SymmetricFit(0.0, 0.0, uintBitsToFloat(magnitude) < kZeroGroup, false);
		// A zero group runs along with the others, and is put right in the end.
		if (fit[g].zero) extreme[g] = 1.0;
		best[g] = 0.0;
	}
	// The first attempt is the plain one; step 0 would be the same again.
	[[dont_unroll]] for (int attempt = -10; attempt <= 9; attempt += attempt == -1 ? 2 : 1) {
		const bool first = attempt == -10;
		precise float offset = 0.1 * float(attempt);
		precise float numerator = float(levels) + offset;
		if (first) numerator = float(levels);
		[[unroll]] for (int g = 0; g < groups; ++g) {
			const float inverse = exactDivide(-numerator, extreme[g]);
			precise float cross = 0.0, square = 0.0;
			[[unroll]] for (int j = 0; j < SYMMETRIC_COUNT; ++j) {
				const int i = g * SYMMETRIC_COUNT + j;
				const float level = symmetricLevel(levels, x[i], inverse);
				precise float a = wx[i] * level;
				precise float b = w[i] * level;
				b = b * level;
				cross = cross + a;
				square = square + b;
			}
			precise float gain = cross * cross;
			precise float bar = best[g] * square;
			if (first) fit[g].uncertain = !(abs(cross) >= 8.8817842e-16);   // 2^-50
			// The plain attempt stands whatever its sums are.
			if (first || (square > 0.0 && gain > bar)) {
				const float scale = exactDivide(cross, square);
				fit[g].scale = first && square == 0.0 ? 0.0 : scale;
				fit[g].inverse = inverse;
				precise float merit = fit[g].scale * cross;
				best[g] = merit;
			}
		}
	}
	[[unroll]] for (int g = 0; g < groups; ++g) {
		if (fit[g].zero) fit[g].scale = 0.0;
		fit[g].uncertain = fit[g].uncertain && !fit[g].zero;
	}
}
