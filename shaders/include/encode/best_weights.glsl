// How much each weight counts: equals bestWeights() of quant/best_search.h. Defined by the includer: x[32], w[32].

layout(binding = 3, scalar) readonly buffer Importance { float importance[]; };

/// Loads the importances of the weights whose first lies in column `column` of its row, into w[]. Returns the largest.
float loadImportance(uint column) {
	const uint at = push.importance_word + column;
	uint largest = 0u;
	[[unroll]] for (int j = 0; j < 32; ++j) {
		w[j] = importance[at + j];
		largest = max(largest, floatBitsToUint(w[j]) & 0x7fffffffu);
	}
	return uintBitsToFloat(largest);
}

/// w[] from the importances that it holds. `largest` of the block, which may have more weights than these.
void bestWeights(float largest) {
	const uint exponent = floatBitsToUint(largest) >> 23;
	const float unit = uintBitsToFloat(uint(max(254 - int(exponent), 1)) << 23);
	precise float square_part[8];
	[[unroll]] for (int i = 0; i < 8; ++i)
		[[unroll]] for (int k = 0; k < 4; ++k) {
			precise float square = x[i + 8 * k] * x[i + 8 * k];
			PARTIAL(square_part, i, k, square);
		}
	precise float mean_square = TREE(square_part);
	mean_square = mean_square * 0.03125;
	const float inverse = inverseOf(mean_square);
	[[unroll]] for (int j = 0; j < 32; ++j) {
		precise float share = w[j] * unit;
		precise float size = x[j] * x[j];
		size = size * inverse;
		size = kBestCalm + size;
		precise float counts = (share > kLeastShare ? share : kLeastShare) * exactSqrt(size);
		w[j] = exponent == 0u ? 1.0 : counts;
	}
}
