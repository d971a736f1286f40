// x ~ d * v, d a half and v on a fixed set of values: equals bestSymmetricScale() of quant/best_symmetric.h.
//
// Defined by the includer: NEAREST(q), the value of the set that is nearest to q; kStartNegative, kStartPositive, kStartStep.

const int kStartsEach = 8;
const int kPolish = 2;

struct BestScale {
	float d;
	bool uncertain;
};

BestScale bestSymmetricScale(float extreme, float plain) {
	const bool zero = magnitudeOf(extreme) < kZeroGroup;
	float d = 0.0, best = 0.0;
	const float reciprocal = exactDivide(1.0, zero ? 1.0 : extreme);
	[[dont_unroll]] for (int attempt = 0; attempt < 1 + 2 * kStartsEach + kPolish; ++attempt) {
		const bool negative = attempt <= kStartsEach;
		precise float start = kStartStep * float(attempt - (negative ? 1 : 1 + kStartsEach));
		start = negative ? -(kStartNegative + start) : kStartPositive + start;
		precise float inverse = start * reciprocal;
		if (attempt == 0 || attempt > 2 * kStartsEach) inverse = inverseOf(attempt == 0 ? plain : d);
		precise float cross_part[8], square_part[8];
		[[unroll]] for (int i = 0; i < 8; ++i)
			[[unroll]] for (int k = 0; k < 4; ++k) {
				const int j = i + 8 * k;
				precise float quotient = inverse * x[j];
				const float value = NEAREST(quotient);
				precise float weighted = WEIGH(j, x[j]);
				precise float a = weighted * value;
				precise float b = WEIGH(j, value) * value;
				PARTIAL(cross_part, i, k, a);
				PARTIAL(square_part, i, k, b);
			}
		precise float cross = TREE(cross_part);
		precise float square = TREE(square_part);
		const float scale = asHalf(square > 0.0 ? exactDivide(cross, square) : 0.0);
		precise float score = scale * square;
		score = 2.0 * cross - score;
		score = scale * score;
		if (attempt == 0 || score > best) {
			d = scale;
			best = score;
		}
	}
	if (zero) return BestScale(0.0, false);
	if (isinf(plain)) d = plain;   // does not fit a half: is noted
	return BestScale(d, !(best >= kSafeScore));
}
