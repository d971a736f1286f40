// Q8_0: x = d * q, q signed.
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 34u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block);
	[[unroll]] for (int k = 0; k < 8; ++k) {
		const int word = int(wordAt(block + 2u + 4u * k));
		[[unroll]] for (int b = 0; b < 4; ++b) value[4 * k + b] = product(float(word << (24 - 8 * b) >> 24), d);
	}
}
