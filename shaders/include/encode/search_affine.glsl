// x ~ scale * code - offset for AFFINE_GROUPS independent groups at once: equals searchAffine() of quant/scale_search.h.
//
// Defined by the includer: AFFINE_COUNT weights a group, group after group in x[] with weights w[]; codes 0 .. AFFINE_LARGEST; a
// sweep of AFFINE_FIRST, AFFINE_STEP, AFFINE_STEPS; AFFINE_ABSOLUTE for absolute instead of squared errors. AFFINE_CLAMPS_FIRST: the
// reference clamps before it rounds, so that no quotient is too large for its rounding.
//
// Why two groups at once: each step's sums are chains of dependent additions, and the next step needs their outcome. Two chains
// fill the gaps of one another.

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

void searchAffine(out AffineFit fit[AFFINE_GROUPS]) {
	float lowest[AFFINE_GROUPS], top[AFFINE_GROUPS], best[AFFINE_GROUPS], sum_w[AFFINE_GROUPS], sum_x[AFFINE_GROUPS];
	[[unroll]] for (int g = 0; g < AFFINE_GROUPS; ++g) {
		int low_key = 0x7fffffff, high_key = ~0x7fffffff;
		precise float weights = 0.0, products = 0.0;
		[[unroll]] for (int j = 0; j < AFFINE_COUNT; ++j) {
			const int i = g * AFFINE_COUNT + j;
			low_key = min(low_key, ordered(x[i]));
			high_key = max(high_key, ordered(x[i]));
			weights = weights + w[i];
			precise float product = w[i] * x[i];
			products = products + product;
		}
		sum_w[g] = weights;
		sum_x[g] = products;
		lowest[g] = unordered(low_key);
		const float high = unordered(high_key);
		const float low = lowest[g] > 0.0 ? 0.0 : lowest[g];
		// A constant group runs through the sweep as others do (lanes move together), and is put right after it.
		top[g] = high <= low ? low + 1.0 : high;
		best[g] = 0.0;
		fit[g] = AffineFit(0.0, low, 0.0, 0.0, high <= low);
	}
	bool constant[AFFINE_GROUPS];
	[[unroll]] for (int g = 0; g < AFFINE_GROUPS; ++g) {
		constant[g] = fit[g].uncertain;
		fit[g].uncertain = false;
	}

	[[dont_unroll]] for (int sweep = -1; sweep <= AFFINE_STEPS; ++sweep) {   // the first is plain rounding over the range
		precise float numerator = AFFINE_STEP * float(sweep);
		numerator = AFFINE_FIRST + numerator;
		numerator = numerator + float(AFFINE_LARGEST);
		if (sweep < 0) numerator = float(AFFINE_LARGEST);
		float code[AFFINE_GROUPS * AFFINE_COUNT], inverse[AFFINE_GROUPS], scale[AFFINE_GROUPS], low[AFFINE_GROUPS];
		bool valid[AFFINE_GROUPS];
		[[unroll]] for (int g = 0; g < AFFINE_GROUPS; ++g) {
			precise float range = top[g] - fit[g].low;
			inverse[g] = exactDivide(numerator, range);
			precise float sum_l = 0.0, sum_l2 = 0.0, sum_xl = 0.0;
			[[unroll]] for (int j = 0; j < AFFINE_COUNT; ++j) {
				const int i = g * AFFINE_COUNT + j;
				code[i] = affineCode(x[i], inverse[g], fit[g].low);
				precise float weighted = w[i] * code[i];
				precise float square = weighted * code[i];
				precise float cross = weighted * x[i];
				sum_l = sum_l + weighted;
				sum_l2 = sum_l2 + square;
				sum_xl = sum_xl + cross;
			}
			// Least squares for scale and minimum with these codes.
			precise float determinant = sum_w[g] * sum_l2;
			precise float sum_l_squared = sum_l * sum_l;
			determinant = determinant - sum_l_squared;
			precise float new_scale = sum_w[g] * sum_xl;
			precise float scale_part = sum_x[g] * sum_l;
			new_scale = new_scale - scale_part;
			precise float new_low = sum_l2 * sum_x[g];
			precise float low_part = sum_l * sum_xl;
			new_low = new_low - low_part;
			new_low = exactDivide(new_low, determinant);
			const bool clamped = new_low > 0.0;
			low[g] = clamped ? 0.0 : new_low;
			scale[g] = exactDivide(clamped ? sum_xl : new_scale, clamped ? sum_l2 : determinant);
			valid[g] = determinant > 0.0;
			if (sweep < 0) {
				scale[g] = exactDivide(1.0, inverse[g]);
				low[g] = fit[g].low;
				valid[g] = true;
			}
#ifndef AFFINE_CLAMPS_FIRST
			precise float below = lowest[g] - fit[g].low;
			below = inverse[g] * below;
			precise float above = inverse[g] * range;
			fit[g].uncertain = fit[g].uncertain || !(below > -kNearestRange && above < kNearestRange);   // so written, NaN is uncertain
#endif
		}
		[[unroll]] for (int g = 0; g < AFFINE_GROUPS; ++g) {
			precise float total = 0.0;
			[[unroll]] for (int j = 0; j < AFFINE_COUNT; ++j) {
				const int i = g * AFFINE_COUNT + j;
				precise float difference = scale[g] * code[i];
				difference = difference + low[g];
				difference = difference - x[i];
#ifdef AFFINE_ABSOLUTE
				precise float error = magnitudeOf(difference);
#else
				precise float error = difference * difference;
#endif
				error = w[i] * error;
				total = total + error;
			}
			if (valid[g] && (sweep < 0 || total < best[g])) {
				best[g] = total;
				fit[g].code_inverse = inverse[g];
				fit[g].code_low = fit[g].low;
				fit[g].scale = scale[g];
				fit[g].low = low[g];
			}
		}
	}
	[[unroll]] for (int g = 0; g < AFFINE_GROUPS; ++g) {
#ifdef IMPORTANCE
		// Products of sums, or the error of a close fit, may be subnormal.
		const float extreme = max(top[g], -lowest[g]);
		precise float weight = sum_w[g] * extreme;
		weight = weight * extreme;
		fit[g].uncertain = fit[g].uncertain || !(weight >= 8.4703295e-22 && sum_w[g] >= 2.8421709e-14);   // 2^-70, 2^-45
#endif
		if (constant[g]) fit[g] = AffineFit(0.0, lowest[g] > 0.0 ? 0.0 : lowest[g], 0.0, 0.0, false);
	}
}
