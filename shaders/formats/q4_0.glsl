// Q4_0: x = d * (q - 8).
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 18u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block);
	uint code[32];
	nibblesAt(block + 2u, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = product(float(int(code[i]) - 8), d);
}
