// x ~ d * q + m, d and m halves: equals Affine::encodeBlock() of quant/best_affine.cpp.
//
// Defined by the includer: AFFINE_LARGEST.

const float kHalf = float(AFFINE_LARGEST) / 2.0;
const int kStarts = 6;
const int kPolish = 3;

struct BestAffine {
	float d, m;
	bool uncertain;
};

float offsetOf(float scale, float minimum, float centre) {
	precise float middle = scale * kHalf;
	middle = minimum + middle;
	middle = middle - centre;
	return middle;
}

/// By how much the error of scale and offset is less than that of nothing but the centre.
float bestAffineScore(float scale, float offset, float sum_w, float sum_y, float sum_v, float sum_vv, float sum_yv) {
	precise float first = scale * sum_vv;
	first = 2.0 * sum_yv - first;
	first = scale * first;
	precise float second = scale * sum_v;
	second = sum_y - second;
	precise float weight = offset * sum_w;
	second = 2.0 * second - weight;
	second = offset * second;
	precise float score = first + second;
	return score;
}

/// The best minimum for a scale as it is stored.
float minimumFor(float scale, float sum_v, float sum_w, float sum_y, float centre) {
	precise float rest = scale * sum_v;
	rest = sum_y - rest;
	precise float shifted = exactDivide(rest, sum_w);
	shifted = shifted + centre;
	precise float middle = scale * kHalf;
	shifted = shifted - middle;
	return asHalf(shifted);
}

/// x[] becomes relative to the centre; code[] is filled.
BestAffine bestAffine() {
	int low_key = ordered(x[0]), high_key = low_key;
	[[unroll]] for (int j = 1; j < 32; ++j) {
		low_key = min(low_key, ordered(x[j]));
		high_key = max(high_key, ordered(x[j]));
	}
	const float low = unordered(low_key), high = unordered(high_key);
	const bool flat_block = !(high > low);
	precise float half_low = 0.5 * low, half_high = 0.5 * high;
	precise float centre = half_low + half_high;
	precise float range = high - low;
	if (flat_block) range = 1.0;

	precise float y_part[8];
	float sum_w = 32.0;
#ifdef IMPORTANCE
	precise float w_part[8];
#endif
	[[unroll]] for (int i = 0; i < 8; ++i)
		[[unroll]] for (int k = 0; k < 4; ++k) {
			const int j = i + 8 * k;
			precise float y = x[j] - centre;
			x[j] = y;
			precise float wy = WEIGH(j, y);
			PARTIAL(y_part, i, k, wy);
#ifdef IMPORTANCE
			PARTIAL(w_part, i, k, w[j]);
#endif
		}
	precise float sum_y = TREE(y_part);
#ifdef IMPORTANCE
	precise float total_w = TREE(w_part);
	sum_w = total_w;
#endif

	float m = asHalf(low), d = asHalf(exactDivide(range, float(AFFINE_LARGEST))), best = 0.0;
	const float reciprocal = exactDivide(1.0, range);
	const int kAttempts = 1 + 3 * kStarts;
	float last_v = 0.0, last_yv = 0.0;   // sums of the codes that are stored
	[[dont_unroll]] for (int attempt = 0; attempt <= kAttempts + kPolish; ++attempt) {
		// The last round only fills the codes.
		const bool finishes = attempt == kAttempts + kPolish;
		float inverse, offset;
		if (attempt == 0 || attempt >= kAttempts) {
			inverse = inverseOf(d);
			offset = offsetOf(d, m, centre);
		} else {
			const int start = (attempt - 1) / 3, side = (attempt - 1) % 3;
			const float beyond = 0.75 * float(start) - 0.75;
			precise float quotient = (float(AFFINE_LARGEST) + beyond) * reciprocal;
			inverse = quotient;
			const float shift = exactDivide(0.25 * beyond, inverse);
			offset = side == 0 ? 0.0 : side == 1 ? shift : -shift;
		}
		precise float v_part[8], vv_part[8], yv_part[8];
		[[unroll]] for (int i = 0; i < 8; ++i)
			[[unroll]] for (int k = 0; k < 4; ++k) {
				const int j = i + 8 * k;
				precise float position = x[j] - offset;
				position = inverse * position;
				position = position + kHalf;
				const float q = nearestClamped(position, 0, AFFINE_LARGEST);
				if (finishes) code[j] = uint(int(q));
				precise float v = q - kHalf;
				precise float wv = WEIGH(j, v);
				precise float vv = wv * v;
				precise float wy = WEIGH(j, x[j]);
				precise float yv = wy * v;
				PARTIAL(v_part, i, k, wv);
				PARTIAL(vv_part, i, k, vv);
				PARTIAL(yv_part, i, k, yv);
			}
		precise float sum_v = TREE(v_part), sum_vv = TREE(vv_part), sum_yv = TREE(yv_part);
		if (finishes) {
			last_v = sum_v;
			last_yv = sum_yv;
			break;
		}
		if (attempt == 0) {
			precise float own = bestAffineScore(d, offset, sum_w, sum_y, sum_v, sum_vv, sum_yv);
			best = own;
		}
		precise float determinant = sum_w * sum_vv - sum_v * sum_v;
		precise float numerator = sum_w * sum_yv - sum_y * sum_v;
		const float scale = asHalf(determinant > 0.0 ? exactDivide(numerator, determinant) : 0.0);
		const float minimum = minimumFor(scale, sum_v, sum_w, sum_y, centre);
		const float score = bestAffineScore(scale, offsetOf(scale, minimum, centre), sum_w, sum_y, sum_v, sum_vv, sum_yv);
		if (score > best) {
			d = scale;
			m = minimum;
			best = score;
		}
	}
	if (flat_block) {
		[[unroll]] for (int j = 0; j < 32; ++j) code[j] = 0u;
		return BestAffine(0.0, asHalf(low), false);
	}
	// What is too short is the part that differs from the block's mean: the stretched scale takes the minimum that goes with it.
	precise float yy_part[8];
	[[unroll]] for (int i = 0; i < 8; ++i)
		[[unroll]] for (int k = 0; k < 4; ++k) {
			const int j = i + 8 * k;
			precise float yy = WEIGH(j, x[j]) * x[j];
			PARTIAL(yy_part, i, k, yy);
		}
	precise float yy = TREE(yy_part);
	precise float mean_yy = sum_y * sum_y, mean_yv = sum_y * last_v;
	yy = yy - exactDivide(mean_yy, sum_w);
	precise float yv = last_yv - exactDivide(mean_yv, sum_w);
	yv = d * yv;
	const float longer = stretched(d, stretchOf(yy, yv));
	const float lower = minimumFor(longer, last_v, sum_w, sum_y, centre);
	const bool uncertain = !(abs(best) >= kSafeScore);
	if (longer == d || isinf(lower)) return BestAffine(d, m, uncertain);
	return BestAffine(longer, lower, uncertain);
}
