// x ~ scale * code - offset for one group: equals searchAffine() of quant/scale_search.h.
//
// Defined by the includer: AFFINE_COUNT weights in x[] with weights w[], codes 0 .. AFFINE_LARGEST, a sweep of AFFINE_FIRST,
// AFFINE_STEP, AFFINE_STEPS, and AFFINE_ABSOLUTE for absolute instead of squared errors. AFFINE_CLAMPS_FIRST: the reference
// clamps before it rounds, so that no quotient is too large for its rounding.

struct AffineFit {
	float scale;
	float low;              // the offset is -low
	float code_inverse;     // code = nearest(code_inverse * (x - code_low)), clamped
	float code_low;
	bool uncertain;         // a quotient beyond the range in which rounding is defined
};

float affineCode(float value, float inverse, float low) {
	precise float shifted = value - low;
	precise float quotient = inverse * shifted;
	return nearestClamped(quotient, 0, AFFINE_LARGEST);
}

AffineFit searchAffine() {
	int low_key = ordered(x[0]), high_key = low_key;
	precise float sum_w = w[0];
	precise float sum_x = w[0] * x[0];
	[[unroll]] for (int i = 1; i < AFFINE_COUNT; ++i) {
		low_key = min(low_key, ordered(x[i]));
		high_key = max(high_key, ordered(x[i]));
		sum_w = sum_w + w[i];
		precise float product = w[i] * x[i];
		sum_x = sum_x + product;
	}
	const float lowest = unordered(low_key), high = unordered(high_key);
	AffineFit fit = AffineFit(0.0, lowest > 0.0 ? 0.0 : lowest, 0.0, 0.0, false);
	// A constant group runs through the sweep as others do (lanes move together), and is put right after it.
	const bool constant = high <= fit.low;
	const float top = constant ? fit.low + 1.0 : high;
	float best = 0.0;

	[[dont_unroll]] for (int sweep = -1; sweep <= AFFINE_STEPS; ++sweep) {
		precise float numerator = AFFINE_STEP * float(sweep);
		numerator = AFFINE_FIRST + numerator;
		numerator = numerator + float(AFFINE_LARGEST);
		if (sweep < 0) numerator = float(AFFINE_LARGEST);
		precise float range = top - fit.low;
		const float inverse = exactDivide(numerator, range);

		precise float sum_l = 0.0, sum_l2 = 0.0, sum_xl = 0.0;
		float code[AFFINE_COUNT];
		[[unroll]] for (int i = 0; i < AFFINE_COUNT; ++i) {
			code[i] = affineCode(x[i], inverse, fit.low);
			precise float weighted = w[i] * code[i];
			precise float square = weighted * code[i];
			precise float cross = weighted * x[i];
			sum_l = sum_l + weighted;
			sum_l2 = sum_l2 + square;
			sum_xl = sum_xl + cross;
		}
		precise float determinant = sum_w * sum_l2;
		precise float sum_l_squared = sum_l * sum_l;
		determinant = determinant - sum_l_squared;
		precise float scale = sum_w * sum_xl;
		precise float scale_part = sum_x * sum_l;
		scale = exactDivide(scale - scale_part, determinant);
		precise float low = sum_l2 * sum_x;
		precise float low_part = sum_l * sum_xl;
		low = exactDivide(low - low_part, determinant);
		if (low > 0.0) {
			low = 0.0;
			scale = exactDivide(sum_xl, sum_l2);
		}
		bool valid = determinant > 0.0;
		if (sweep < 0) {   // the start: plain rounding over the range
			scale = exactDivide(1.0, inverse);
			low = fit.low;
			valid = true;
		}
		precise float total = 0.0;
		[[unroll]] for (int i = 0; i < AFFINE_COUNT; ++i) {
			precise float difference = scale * code[i];
			difference = difference + low;
			difference = difference - x[i];
#ifdef AFFINE_ABSOLUTE
			precise float error = magnitudeOf(difference);
#else
			precise float error = difference * difference;
#endif
			error = w[i] * error;
			total = total + error;
		}
#ifndef AFFINE_CLAMPS_FIRST
		precise float below = lowest - fit.low;
		below = inverse * below;
		precise float above = inverse * range;
		fit.uncertain = fit.uncertain || !(below > -kNearestRange && above < kNearestRange);   // so written, NaN is uncertain
#endif
		if (valid && (sweep < 0 || total < best)) {
			best = total;
			fit.code_inverse = inverse;
			fit.code_low = fit.low;
			fit.scale = scale;
			fit.low = low;
		}
	}
	if (constant) fit = AffineFit(0.0, lowest > 0.0 ? 0.0 : lowest, 0.0, 0.0, false);
#ifdef IMPORTANCE
	// Products of sums, or the error of a close fit, may be subnormal.
	precise float weight = sum_w * max(high, -lowest);
	weight = weight * max(high, -lowest);
	fit.uncertain = fit.uncertain || !(weight >= 8.4703295e-22 && sum_w >= 2.8421709e-14);   // 2^-70, 2^-45
#endif
	return fit;
}
