// MXFP4: x = 2^(e - 128) * value of q.
#include "formats/blocks.glsl"

const uint kBlockElements = 32u;
const uint kBlockBytes = 17u;

const float kMxfp4Values[16] = float[](0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0);

/// value * 2^(exponent - 128) on the bits: the power, and small results, are subnormal, which a device may flush.
float timesPowerOfTwo(float value, uint exponent) {
	const uint bits = floatBitsToUint(value);
	const int sum = int(bits >> 23 & 0xffu) + int(exponent) - 128;
	uint magnitude = uint(sum) << 23 | (bits & 0x7fffffu);
	if (sum < 1) magnitude = ((bits & 0x7fffffu) | 0x800000u) >> uint(1 - sum);
	if (sum > 254) magnitude = 0x7f800000u;
	return uintBitsToFloat(value == 0.0 ? 0u : (bits & 0x80000000u) | magnitude);
}

void unpack32(uint block, uint part, out float value[32]) {
	const uint exponent = byteAt(block);
	uint code[32];
	nibblesAt(block + 1u, code);
	[[unroll]] for (int i = 0; i < 32; ++i) value[i] = timesPowerOfTwo(kMxfp4Values[code[i]], exponent);
}
