// Q4_1: x = d * q + m.
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 20u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block), m = halfAt(block + 2u);
	uint code[32];
	nibblesAt(block + 4u, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = affine(d, code[i], m);
}
