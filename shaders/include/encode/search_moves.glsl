// x ~ scale * (code - 4) for sixteen weights, moving one code after the other while that helps: equals searchSymmetricByMoves()
// of quant/scale_search.h with four levels.
//
// Defined by the includer: x[16].

struct MovesFit {
	float scale;
	float level[16];     // code - 4
	bool zero;           // all weights as good as zero: every code is 0
	bool uncertain;
};

MovesFit searchMoves() {
	MovesFit fit;
	uint magnitude = 0u;
	float extreme = 0.0;
	[[unroll]] for (int i = 0; i < 16; ++i) {
		const uint size = floatBitsToUint(x[i]) & 0x7fffffffu;
		extreme = size > magnitude ? x[i] : extreme;
		magnitude = max(magnitude, size);
	}
	fit.zero = uintBitsToFloat(magnitude) < kZeroGroup;
	const float inverse = exactDivide(-4.0, fit.zero ? 1.0 : extreme);
	precise float cross = 0.0, square = 0.0;
	[[unroll]] for (int i = 0; i < 16; ++i) {
		precise float quotient = inverse * x[i];
		fit.level[i] = nearestClamped(quotient, -4, 3);
		precise float weight = x[i] * x[i];
		precise float a = weight * x[i];
		a = a * fit.level[i];
		precise float b = weight * fit.level[i];
		b = b * fit.level[i];
		cross = cross + a;
		square = square + b;
	}
	fit.uncertain = !fit.zero && !(abs(cross) >= 3.5527137e-15);   // 2^-48: below, products of sums may be subnormal
	bool moved = !fit.zero;
	[[dont_unroll]] for (int round = 0; round < 5 && moved; ++round) {
		moved = false;
		[[unroll]] for (int i = 0; i < 16; ++i) {
			precise float weight = x[i] * x[i];
			precise float wx = weight * x[i];
			precise float a = wx * fit.level[i];
			precise float cross_without = cross - a;
			precise float b = weight * fit.level[i];
			b = b * fit.level[i];
			precise float square_without = square - b;
			const bool possible = cross_without > 0.0;
			precise float quotient = x[i] * square_without;
			quotient = exactDivide(quotient, cross_without);
			fit.uncertain = fit.uncertain || (possible && !(abs(quotient) < kNearestRange));
			const float level = nearestClamped(quotient, -4, 3);
			precise float new_a = wx * level;
			precise float new_b = weight * level;
			new_b = new_b * level;
			precise float new_cross = cross_without + new_a;
			precise float new_square = square_without + new_b;
			precise float gain = new_cross * new_cross;
			gain = gain * square;
			precise float bar = cross * cross;
			bar = bar * new_square;
			const bool accepted = possible && level != fit.level[i] && new_square > 0.0 && gain > bar;
			fit.level[i] = accepted ? level : fit.level[i];
			cross = accepted ? new_cross : cross;
			square = accepted ? new_square : square;
			moved = moved || accepted;
		}
	}
	fit.scale = square > 0.0 && !fit.zero ? exactDivide(cross, square) : 0.0;
	return fit;
}
