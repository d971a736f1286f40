// Q3_K: x = d * (s_j - 32) * (q - 4), sub-blocks j of 16.
#include "formats/blocks.glsl"

const uint kBlockElements = 256u;
const uint kBlockBytes = 110u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block + 108u);
	uint code[32], third[32];
	bitsAt(block + 32u + 32u * (part / 4u), 2u * (part % 4u), 3u, code);
	bitsAt(block, part, 1u, third);
	[[unroll]] for (uint g = 0u; g < 2u; ++g) {
		const uint j = 2u * part + g;
		const uint low = byteAt(block + 96u + j % 8u) >> 4u * (j / 8u) & 15u, high = byteAt(block + 104u + j % 4u) >> 2u * (j / 4u) & 3u;
		const float scale = product(d, float(int(low | high << 4) - 32));
		[[unroll]] for (uint i = 16u * g; i < 16u * g + 16u; ++i) value[i] = product(scale, float(int(code[i] + 4u * third[i]) - 4));
	}
}
