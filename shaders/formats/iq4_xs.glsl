// IQ4_XS: x = d * (s_j - 32) * kIq4Values[q], sub-blocks j of 32.
#include "formats/blocks.glsl"
#include "formats/iq4_values.glsl"

const uint kBlockElements = 256u;
const uint kBlockBytes = 136u;

void unpack32(uint block, uint part, out float value[32]) {
	const uint low = byteAt(block + 4u + part / 2u) >> 4u * (part & 1u) & 15u;
	const uint high = (byteAt(block + 2u) | byteAt(block + 3u) << 8) >> 2u * part & 3u;
	const float scale = product(halfAt(block), float(int(low | high << 4) - 32));
	uint code[32];
	nibblesAt(block + 8u + 16u * part, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = product(scale, kIq4Values[code[i]]);
}
