// How much each weight counts: equals bestWeights() of quant/best_search.h.

layout(binding = 3, scalar) readonly buffer Importance { float importance[]; };

/// Fills w[32] for weights whose first lies in column `column` of its row. Returns reasons for a note.
uint bestWeights(uint column) {
	const uint at = push.importance_word + column;
	uint largest = 0u, smallest = 0xffffffffu;
	[[unroll]] for (int j = 0; j < 32; ++j) {
		w[j] = importance[at + j];
		const uint bits = floatBitsToUint(w[j]) & 0x7fffffffu;
		largest = max(largest, bits);
		smallest = min(smallest, bits - 1u);
	}
	[[unroll]] for (int j = 0; j < 32; ++j) w[j] = largest == 0u ? 1.0 : exactSqrt(w[j]);
	return smallest < 0x7fffffu ? kNoteUncertain : 0u;   // one that is subnormal
}
