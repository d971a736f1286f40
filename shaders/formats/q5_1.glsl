// Q5_1: x = d * q + m, q of five bits.
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 24u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block), m = halfAt(block + 2u);
	uint code[32];
	nibblesAt(block + 8u, code);
	const uint fifth = wordAt(block + 4u);
	[[unroll]] for (int i = 0; i < 32; ++i) code[i] |= (fifth >> i & 1u) << 4;
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = affine(d, code[i], m);
}
