// IQ4_NL: x = d * kIq4Values[q].
#include "formats/blocks.glsl"
#include "formats/iq4_values.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 18u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block);
	uint code[32];
	nibblesAt(block + 2u, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = product(d, kIq4Values[code[i]]);
}
