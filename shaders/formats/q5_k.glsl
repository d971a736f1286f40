// Q5_K: x = d * s_j * q - dmin * m_j, q of five bits, sub-blocks j of 32.
#include "formats/blocks.glsl"
#include "formats/scales_6bit.glsl"

const uint kBlockElements = 256u;
const uint kBlockBytes = 176u;

void unpack32(uint block, uint part, out float value[32]) {
	float s, m;
	scalesAt(block + 4u, part, s, m);
	const float scale = product(halfAt(block), s), minimum = product(halfAt(block + 2u), m);
	uint code[32], fifth[32];
	bitsAt(block + 48u + 32u * (part / 2u), 4u * (part & 1u), 15u, code);
	bitsAt(block + 16u, part, 1u, fifth);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = affine(scale, code[i] | fifth[i] << 4, -minimum);
}
