// x ~ scale * (code - 4) for two groups of sixteen weights in x[], moving one code after the other while that helps: equals
// searchSymmetricByMoves() of quant/scale_search.h with four levels.
//
// Each move waits for the one before: two groups at once fill the gaps of one another.

struct MovesFit {
	float scale;
	bool zero;           // all weights as good as zero: every code is 0
	bool uncertain;
};

/// level[i] is code - 4.
void searchMoves(out MovesFit fit[2], out float level[32]) {
	float cross[2], square[2];
	[[unroll]] for (int g = 0; g < 2; ++g) {
		uint magnitude = 0u;
		float extreme = 0.0;
		[[unroll]] for (int j = 0; j < 16; ++j) {
			const float value = x[16 * g + j];
			const uint size = floatBitsToUint(value) & 0x7fffffffu;
			extreme = size > magnitude ? value : extreme;
			magnitude = max(magnitude, size);
		}
		fit[g].zero = uintBitsToFloat(magnitude) < kZeroGroup;
		const float inverse = exactDivide(-4.0, fit[g].zero ? 1.0 : extreme);
		precise float products = 0.0, squares = 0.0;
		[[unroll]] for (int j = 0; j < 16; ++j) {
			const int i = 16 * g + j;
			precise float quotient = inverse * x[i];
			level[i] = nearestClamped(quotient, -4, 3);
			precise float weight = x[i] * x[i];
			precise float a = weight * x[i];
			a = a * level[i];
			precise float b = weight * level[i];
			b = b * level[i];
			products = products + a;
			squares = squares + b;
		}
		cross[g] = products;
		square[g] = squares;
		fit[g].uncertain = !fit[g].zero && !(abs(products) >= 3.5527137e-15);   // 2^-48: below, products of sums may be subnormal
	}
	bool moved[2] = bool[](!fit[0].zero, !fit[1].zero);   // in the round before
	[[dont_unroll]] for (int round = 0; round < 5 && (moved[0] || moved[1]); ++round) {
		bool moves[2] = bool[](false, false);
		[[unroll]] for (int j = 0; j < 16; ++j)
			[[unroll]] for (int g = 0; g < 2; ++g) {
				const int i = 16 * g + j;
				precise float weight = x[i] * x[i];
				precise float wx = weight * x[i];
				precise float a = wx * level[i];
				precise float cross_without = cross[g] - a;
				precise float b = weight * level[i];
				b = b * level[i];
				precise float square_without = square[g] - b;
				const bool possible = moved[g] && cross_without > 0.0;
				precise float quotient = x[i] * square_without;
				quotient = exactDivide(quotient, cross_without);
				fit[g].uncertain = fit[g].uncertain || (possible && !(abs(quotient) < kNearestRange));
				const float other = nearestClamped(quotient, -4, 3);
				precise float new_a = wx * other;
				precise float new_b = weight * other;
				new_b = new_b * other;
				precise float new_cross = cross_without + new_a;
				precise float new_square = square_without + new_b;
				precise float gain = new_cross * new_cross;
				gain = gain * square[g];
				precise float bar = cross[g] * cross[g];
				bar = bar * new_square;
				const bool accepted = possible && other != level[i] && new_square > 0.0 && gain > bar;
				level[i] = accepted ? other : level[i];
				cross[g] = accepted ? new_cross : cross[g];
				square[g] = accepted ? new_square : square[g];
				moves[g] = moves[g] || accepted;
			}
		moved = moves;
	}
	[[unroll]] for (int g = 0; g < 2; ++g) fit[g].scale = square[g] > 0.0 && !fit[g].zero ? exactDivide(cross[g], square[g]) : 0.0;
}
