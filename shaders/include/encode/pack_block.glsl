// The codes of a block of 32 as words of its bytes (drawn in quant/nibbles.h). Defined by the includer: code[32].

// Byte j of the codes: low nibble = weight j, high nibble = weight j + 16.
uint nibbleWord(int k) {
	uint word = 0u;
	[[unroll]] for (int b = 0; b < 4; ++b) word |= ((code[4 * k + b] & 15u) | (code[4 * k + b + 16] & 15u) << 4) << (8 * b);
	return word;
}

uint fifthBits() {
	uint bits = 0u;
	[[unroll]] for (int i = 0; i < 32; ++i) bits |= (code[i] >> 4) << i;
	return bits;
}
