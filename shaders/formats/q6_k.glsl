// Q6_K: x = d * s_j * (q - 32), sub-blocks j of 16.
#include "formats/blocks.glsl"

const uint kBlockElements = 256u;
const uint kBlockBytes = 210u;

void unpack32(uint block, uint part, out float value[32]) {
	const float d = halfAt(block + 208u);
	const uint half_block = part / 4u, quarter = part % 4u;
	uint low[32], high[32];
	bitsAt(block + 64u * half_block + 32u * (quarter & 1u), 4u * (quarter >> 1), 15u, low);
	bitsAt(block + 128u + 32u * half_block, 2u * quarter, 3u, high);
	[[unroll]] for (uint g = 0u; g < 2u; ++g) {
		const int s = int(byteAt(block + 192u + 2u * part + g)) << 24 >> 24;
		const float scale = product(d, float(s));
		[[unroll]] for (uint i = 16u * g; i < 16u * g + 16u; ++i) value[i] = product(scale, float(int(low[i] | high[i] << 4) - 32));
	}
}
