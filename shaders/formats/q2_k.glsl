// Q2_K: x = d * s_j * q - dmin * m_j, sub-blocks j of 16.
#include "formats/blocks.glsl"

const uint kBlockElements = 256u;
const uint kBlockBytes = 84u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block + 80u), dmin = halfAt(block + 82u);
	uint code[32];
	bitsAt(block + 16u + 32u * (part / 4u), 2u * (part % 4u), 3u, code);
	[[unroll]] for (uint g = 0u; g < 2u; ++g) {
		const uint both = byteAt(block + 2u * part + g);
		const float scale = product(d, float(both & 15u)), minimum = product(dmin, float(both >> 4));
		[[unroll]] for (uint i = 16u * g; i < 16u * g + 16u; ++i) value[i] = affine(scale, code[i], -minimum);
	}
}
