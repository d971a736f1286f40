// Unpacks the device layout of quant/device_layout.h; must equal quant/codec.h's decodeRow() on what kernels/device_layout.cpp repacked.
//
// Written for whoever declares `weights` (uint words) and the specialization constants kCodes, kScales, kOffset, kTable, kInterleave.
// The unit is a half: 16 elements, 8 pairs. Pair j of coded types is elements e(j) = 8 (j / 4) + j % 4 and e(j) + 4, which lie 16 bits
// apart in their word, so that both are masked (and multiplied) at once; of float types elements 2j and 2j + 1.

const bool kFloats = kCodes == VKQ_CODES_F16 || kCodes == VKQ_CODES_BF16 || kCodes == VKQ_CODES_F32;
const uint kLowBits = kCodes == VKQ_CODES_3 ? 2u : kCodes == VKQ_CODES_5 || kCodes == VKQ_CODES_6 ? 4u : kCodes == VKQ_CODES_BF16 ? 16u : kCodes;
const uint kHighBits = kCodes == VKQ_CODES_3 || kCodes == VKQ_CODES_5 ? 1u : kCodes == VKQ_CODES_6 ? 2u : 0u;
const uint kHalfWords = kLowBits / 2u;          // words of plane 0 a half
const bool kScaleOf16 = kScales == VKQ_SCALES_NIBBLES_16 || kScales == VKQ_SCALES_SIGNED_16;
const bool kHasSuper = kScales >= VKQ_SCALES_BYTES_32;
const bool kHasMinimum = kScales == VKQ_SCALES_F16_MINIMUM || kScales == VKQ_SCALES_BYTES_32 || kScales == VKQ_SCALES_NIBBLES_16;

/// Where word 0 of a row lies in a plane of `row_words` words a row; words of the same row are kInterleave apart.
uint rowBase(uint row, uint row_words) { return row / kInterleave * row_words * kInterleave + row % kInterleave; }

/// The element of a half that pair j's first number is, and how far the second is from it.
uint pairElement(uint j) { return kFloats ? 2u * j : (j & 4u) * 2u + (j & 3u); }
const uint kPairStep = kFloats ? 1u : 4u;

int signedByte(uint word, uint byte) { return bitfieldExtract(int(word), int(byte * 8u), 8); }

int tableValue(uint code) {
	if (kTable == VKQ_TABLE_IQ4) {
		// -127 -104 -83 -65 | -49 -35 -22 -10 | 1 13 25 38 | 53 69 89 113
		const uint low = (code & 4u) != 0u ? 0xf6eaddcfu : 0xbfad9881u;
		const uint high = (code & 4u) != 0u ? 0x71594535u : 0x26190d01u;
		return signedByte((code & 8u) != 0u ? high : low, code & 3u);
	}
	// 0 1 2 3 | 4 6 8 12, negative with bit 3
	const int magnitude = signedByte((code & 4u) != 0u ? 0x0c080604u : 0x03020100u, code & 3u);
	return (code & 8u) != 0u ? -magnitude : magnitude;
}

/// Pair j's bits as they are stored, 16 bits apart.
uint storedPair(uint low, uint high, uint j, uint half_index) {
	uint pair;
	if (kLowBits == 2u) pair = (low >> (2u * j)) & 0x00030003u;
	else if (kLowBits == 4u) pair = (low >> (4u * (j & 3u))) & 0x000f000fu;
	else pair = (low >> (8u * (j & 1u))) & 0x00ff00ffu;
	if (kHighBits == 1u) pair |= ((high >> (half_index * 8u + j)) & 0x00010001u) << kLowBits;
	if (kHighBits == 2u) pair |= ((high >> (2u * j)) & 0x00030003u) << 4u;
	return pair;
}

/// Pair j's codes as integers ready to multiply, the first in the low half of the word and the second, arithmetically added, 16 bits above.
/// `low` is the word of plane 0 that has them, `high` the word of plane 1, `half_index` 0 or 1.
uint codePair(uint low, uint high, uint j, uint half_index) {
	const uint pair = storedPair(low, high, j, half_index);
	if (kTable != VKQ_TABLE_NONE) return uint(tableValue(pair & 15u)) + (uint(tableValue(pair >> 16u)) << 16u);
	return pair - kOffset * 0x00010001u;
}

/// Pairs j and j + 2, j % 4 < 2, as four signed bytes: elements e(j) + 0, 2, 4, 6. kOffset is not taken from codes of fewer than 8 bits.
/// `low` and `low_next` are the words of plane 0 that have them.
uint codeBytes(uint low, uint low_next, uint high, uint j, uint half_index) {
	uint four;
	if (kLowBits == 4u && kHighBits == 0u) four = (low >> (4u * (j & 1u))) & 0x0f0f0f0fu;
	else four = storedPair(low, high, j, half_index) | storedPair(low_next, high, j + 2u, half_index) << 8u;
	if (kCodes == VKQ_CODES_8) four ^= 0x80808080u;   // stored with an offset of 128
	if (kTable == VKQ_TABLE_NONE) return four;
	uint values = 0u;
	[[unroll]] for (uint i = 0; i < 32u; i += 8u) values |= (uint(tableValue((four >> i) & 15u)) & 0xffu) << i;
	return values;
}

/// Which of a half's words of plane 0 pair j is in.
uint pairWord(uint j) { return j * kHalfWords / 8u; }

/// The two numbers of pair j, not yet scaled. F32 takes two words: `next` is the second.
vec2 valuePair(uint low, uint next, uint high, uint j, uint half_index) {
	if (kCodes == VKQ_CODES_F32) return vec2(uintBitsToFloat(low), uintBitsToFloat(next));
	if (kCodes == VKQ_CODES_F16) return unpackHalf2x16(low);
	if (kCodes == VKQ_CODES_BF16) return vec2(uintBitsToFloat(low << 16u), uintBitsToFloat(low & 0xffff0000u));
	const int pair = int(codePair(low, high, j, half_index));
	const int first = bitfieldExtract(pair, 0, 16);
	return vec2(float(first), float((pair - first) >> 16));
}

/// Which word of plane 2 has the scales of a block (32 elements).
uint scaleWord(uint block) {
	if (kScales == VKQ_SCALES_F16_MINIMUM) return block;
	if (kScales == VKQ_SCALES_EXPONENT || kScales == VKQ_SCALES_SIGNED_32) return block / 4u;
	return block / 2u;
}

/// A word of plane 3: what the scales and the minimums of its 256 elements are multiplied with.
vec2 superScales(uint word) {
	if (kScales == VKQ_SCALES_SIGNED_16 || kScales == VKQ_SCALES_SIGNED_32) return vec2(uintBitsToFloat(word), 0.0);
	return unpackHalf2x16(word) * vec2(1.0, -1.0);
}

/// Scale and minimum of half `half_index` of block `block`: element = scale * code + minimum. `scales` is the word scaleWord() of plane 2,
/// `super` the superScales() of the block's 256.
vec2 scaleAndMinimum(uint scales, vec2 super, uint block, uint half_index) {
	const uint of_four = (block & 1u) * 2u + half_index;   // which 16 of the word's 64
	switch (kScales) {
	case VKQ_SCALES_F16: return vec2(unpackHalf2x16(scales >> ((block & 1u) * 16u)).x, 0.0);
	case VKQ_SCALES_F16_MINIMUM: return unpackHalf2x16(scales);
	case VKQ_SCALES_EXPONENT: {
		const uint exponent = bitfieldExtract(scales, int((block & 3u) * 8u), 8);
		return vec2(uintBitsToFloat(exponent < 2u ? 0x00200000u << exponent : (exponent - 1u) << 23u), 0.0);
	}
	case VKQ_SCALES_BYTES_32: {
		const uint both = scales >> ((block & 1u) * 16u);
		return super * vec2(float(int(both & 0xffu)), float(int((both >> 8u) & 0xffu)));
	}
	case VKQ_SCALES_NIBBLES_16: {
		const uint both = scales >> (of_four * 8u);
		return super * vec2(float(int(both & 15u)), float(int((both >> 4u) & 15u)));
	}
	case VKQ_SCALES_SIGNED_16: return vec2(super.x * float(signedByte(scales, of_four)), 0.0);
	case VKQ_SCALES_SIGNED_32: return vec2(super.x * float(signedByte(scales, block & 3u)), 0.0);
	}
	return vec2(1.0, 0.0);
}
