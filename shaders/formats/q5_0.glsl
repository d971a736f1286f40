// Q5_0: x = d * (q - 16).
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 22u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block);
	uint code[32];
	nibblesAt(block + 6u, code);
	const uint fifth = wordAt(block + 2u);
	[[unroll]] for (int i = 0; i < 32; ++i) code[i] |= (fifth >> i & 1u) << 4;
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = product(float(int(code[i]) - 16), d);
}
