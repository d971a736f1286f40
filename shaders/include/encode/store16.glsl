// Output as 16-bit words: for blocks whose size is no multiple of four bytes.

layout(binding = 1, scalar) writeonly buffer Output { uint16_t target[]; };

void storeHalf(uint at, uint bits) { target[at] = uint16_t(bits); }

void storeWord(uint at, uint word) {
	storeHalf(at, word & 0xffffu);
	storeHalf(at + 1u, word >> 16);
}
