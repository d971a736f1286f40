// The sixteen 6-bit scales and minima of Q4_K and Q5_K in twelve bytes (drawn in quant/affine_super_block.h).
void scalesAt(uint byte, uint part, out float scale, out float minimum) {
	uint s, m;
	if (part < 4u) {
		s = byteAt(byte + part) & 63u;
		m = byteAt(byte + part + 4u) & 63u;
	} else {
		const uint low = byteAt(byte + part + 4u);
		s = (low & 15u) | (byteAt(byte + part - 4u) >> 6) << 4;
		m = low >> 4 | (byteAt(byte + part) >> 6) << 4;
	}
	scale = float(s);
	minimum = float(m);
}
