// What each weight of the search counts: importance_i * sqrt(sigma2 + x_i^2): equals importanceWeights() of quant/scale_search.h.

layout(binding = 3, scalar) readonly buffer Importance { float importance[]; };

/// w[base .. base + count) for x[base .. base + count), whose first lies in column `column` of its row.
#define IMPORTANCE_WEIGHTS_AT(base, count, column, sigma2)                                                    \
	{                                                                                                         \
		const uint importance_at = push.importance_word + (column);                                           \
		[[unroll]] for (int i = 0; i < (count); ++i) {                                                        \
			precise float importance_square = x[(base) + i] * x[(base) + i];                                  \
			precise float importance_sum = (sigma2) + importance_square;                                      \
			precise float importance_weight = importance[importance_at + i] * exactSqrt(importance_sum);      \
			w[(base) + i] = importance_weight;                                                                \
		}                                                                                                     \
	}

#define IMPORTANCE_WEIGHTS(count, column, sigma2) IMPORTANCE_WEIGHTS_AT(0, count, column, sigma2)
