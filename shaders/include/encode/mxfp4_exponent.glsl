// The exponent of an MXFP4 block.

/// floor(log2(magnitude)) - 2 + 127 as the reference's single-precision log2f gives it: equals mxfp4Exponent() of quant/mxfp4.h.
uint blockExponent(uint bits) {
	const int power = int(bits >> 23) - 127;
	const int next = power + 1;
	const uint octave = uint(next > 0 ? next - 1 : -next);
	const uint gap = 0x1000000u - ((bits & 0x7fffffu) | 0x800000u);
	// Just below a power of two the logarithm rounds up to it.
	const bool rounds_up = octave > 0u && gap <= 88u >> (7 - findMSB(octave));
	return bits == 0u ? 0u : uint((rounds_up ? next : power) + 125);
}
