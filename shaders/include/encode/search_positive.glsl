// value ~ scale * code for the scales (or offsets) of a super-block's sub-blocks, with importance: equals searchPositive() of
// quant/scale_search.h. Every invocation that calls it has all the values.
//
// Defined by the includer: POSITIVE_COUNT values, codes 0 .. POSITIVE_LARGEST.

struct PositiveFit {
	float scale;
	float code[POSITIVE_COUNT];
	bool uncertain;
};

PositiveFit searchPositive(float value[POSITIVE_COUNT], float weight[POSITIVE_COUNT]) {
	PositiveFit fit;
	fit.uncertain = false;
	float high = 0.0, heaviest = 0.0;
	[[unroll]] for (int i = 0; i < POSITIVE_COUNT; ++i) {
		fit.uncertain = fit.uncertain || !(value[i] >= 0.0);   // a search that went astray
		high = max(high, value[i]);
		heaviest = max(heaviest, weight[i]);
	}
	const bool zero = high < kZeroGroup;
	if (zero) high = 1.0;
	precise float size = heaviest * high;
	size = size * high;
	fit.uncertain = fit.uncertain || (!zero && !(size >= 8.4703295e-22));   // 2^-70: errors may be subnormal

	float best = 0.0, best_inverse = 0.0;
	[[dont_unroll]] for (int attempt = -5; attempt <= 4; attempt += attempt == -1 ? 2 : 1) {   // the first is the plain one
		precise float numerator = 0.1 * float(attempt);
		numerator = numerator + float(POSITIVE_LARGEST);
		if (attempt == -5) numerator = float(POSITIVE_LARGEST);
		const float inverse = exactDivide(numerator, high);
		const float scale = exactDivide(1.0, inverse);
		precise float total = 0.0;
		[[unroll]] for (int i = 0; i < POSITIVE_COUNT; ++i) {
			precise float quotient = inverse * value[i];
			const float code = nearestClamped(quotient, 0, POSITIVE_LARGEST);
			precise float difference = scale * code;
			difference = value[i] - difference;
			precise float error = weight[i] * difference;
			error = error * difference;
			total = total + error;
		}
		if (attempt == -5 || total < best) {
			best = total;
			best_inverse = inverse;
		}
	}

	precise float cross = 0.0, square = 0.0;
	[[unroll]] for (int i = 0; i < POSITIVE_COUNT; ++i) {
		precise float quotient = best_inverse * value[i];
		const float code = nearestClamped(quotient, 0, POSITIVE_LARGEST);
		fit.code[i] = code;
		precise float a = weight[i] * value[i];
		a = a * code;
		precise float b = weight[i] * code;
		b = b * code;
		cross = cross + a;
		square = square + b;
	}
	// Moves one code after the other while that helps.
	bool moved = true;
	[[dont_unroll]] for (int round = 0; round < 5 && moved; ++round) {
		moved = false;
		[[unroll]] for (int i = 0; i < POSITIVE_COUNT; ++i) {
			precise float wx = weight[i] * value[i];
			precise float a = wx * fit.code[i];
			precise float cross_without = cross - a;
			precise float b = weight[i] * fit.code[i];
			b = b * fit.code[i];
			precise float square_without = square - b;
			const bool possible = cross_without > 0.0 && square_without > 0.0;
			precise float quotient = value[i] * square_without;
			quotient = exactDivide(quotient, cross_without);
			fit.uncertain = fit.uncertain || (possible && !(quotient < kNearestRange));
			const float code = nearestClamped(quotient, 0, POSITIVE_LARGEST);
			precise float new_a = wx * code;
			precise float new_b = weight[i] * code;
			new_b = new_b * code;
			precise float new_cross = cross_without + new_a;
			precise float new_square = square_without + new_b;
			precise float gain = new_cross * new_cross;
			gain = gain * square;
			precise float bar = cross * cross;
			bar = bar * new_square;
			const bool accepted = possible && code != fit.code[i] && gain > bar;
			fit.code[i] = accepted ? code : fit.code[i];
			cross = accepted ? new_cross : cross;
			square = accepted ? new_square : square;
			moved = moved || accepted;
		}
	}
	fit.scale = square > 0.0 ? exactDivide(cross, square) : 0.0;
	if (zero) {
		fit.scale = 0.0;
		[[unroll]] for (int i = 0; i < POSITIVE_COUNT; ++i) fit.code[i] = 0.0;
	}
	return fit;
}
