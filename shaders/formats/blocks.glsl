// Reading blocks as they lie in files: packed, at any byte offset.
//
// A format's file (formats/q4_k.glsl, ...) gives kBlockElements, kBlockBytes and
//     void unpack32(uint block, uint part, out float value[32])
// which decodes weights 32 part .. 32 part + 31 of the block that begins at byte `block`, to the bits that decodeRow() of
// quant/codec.h gives. The layouts are drawn in quant/q4_k.cpp and its neighbours.
//
// Defined by the includer: uint blockWords(uint index), the binding's 32-bit words. It must reach to the end of the word that the
// last block ends in.
#include "include/exact.glsl"

/// Four bytes from any offset on, as a little-endian number.
uint wordAt(uint byte) {
	const uint shift = (byte & 3u) * 8u;
	const uint low = blockWords(byte >> 2);
	if (shift == 0u) return low;
	return low >> shift | blockWords((byte + 3u) >> 2) << (32u - shift);
}

uint byteAt(uint byte) { return blockWords(byte >> 2) >> ((byte & 3u) * 8u) & 0xffu; }

/// A binary16 at an even offset.
float halfAt(uint byte) { return halfValue(blockWords(byte >> 2) >> ((byte & 2u) * 8u) & 0xffffu); }

/// Byte j of 16: low nibble = code j, high nibble = code j + 16.
void nibblesAt(uint byte, out uint code[32]) {
	[[unroll]] for (int k = 0; k < 4; ++k) {
		const uint word = wordAt(byte + 4u * k);
		[[unroll]] for (int b = 0; b < 4; ++b) {
			code[4 * k + b] = word >> (8 * b) & 15u;
			code[4 * k + b + 16] = word >> (8 * b + 4) & 15u;
		}
	}
}

/// Of 32 bytes, `mask` from bit `shift` on.
void bitsAt(uint byte, uint shift, uint mask, out uint code[32]) {
	[[unroll]] for (int k = 0; k < 8; ++k) {
		const uint word = wordAt(byte + 4u * k) >> shift;
		[[unroll]] for (int b = 0; b < 4; ++b) code[4 * k + b] = word >> (8 * b) & mask;
	}
}

float product(float a, float b) {
	precise float p = a * b;
	return p;
}

/// scale * code + minimum
float affine(float scale, uint code, float minimum) {
	precise float p = scale * float(code);
	precise float sum = p + minimum;
	return sum;
}
