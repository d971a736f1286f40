// MXFP4: x = 2^(e - 128) * value of q. On devices that flush subnormals blocks with e < 4 become zeros where decodeRow() has subnormals.
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 17u;

const float kMxfp4Values[16] = float[](0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0);

void unpack32(uint block, uint part, out float value[32]) {
	const uint exponent = byteAt(block);
	const float scale = uintBitsToFloat(exponent < 2u ? 0x00200000u << exponent : (exponent - 1u) << 23);
	uint code[32];
	nibblesAt(block + 1u, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = product(scale, kMxfp4Values[code[i]]);
}
