// Two bits of each code, in the order that Q2_K, Q3_K and Q6_K share (drawn in quant/two_bit_planes.h): in each half of the
// super-block, bits 2k of 32 bytes are those of its k-th 32 weights.

/// `codes`: this invocation's 32 codes, one a byte in eight words, of which bits 0 and 1 count. Returns words 2p and 2p + 1 of its
/// half's eight, p = twoBitPart(lane).
uvec2 gatherTwoBits(uint lane, uint codes[8]) {
	const bool odd = (lane & 1u) != 0u, upper = (lane & 2u) != 0u;
	const uint shift = (lane & 3u) * 2u;
	// First from lane ^ 1, each keeping a half of the words; then from lane ^ 2.
	uint pair[4];
	[[unroll]] for (int k = 0; k < 4; ++k) {
		const uint first = (codes[k] & 0x03030303u) << shift, second = (codes[k + 4] & 0x03030303u) << shift;
		pair[k] = (odd ? second : first) | superReadXor(odd ? first : second, 1u);
	}
	uvec2 all;
	[[unroll]] for (int k = 0; k < 2; ++k) all[k] = (upper ? pair[k + 2] : pair[k]) | superReadXor(upper ? pair[k] : pair[k + 2], 2u);
	return all;
}

uint twoBitPart(uint lane) { return (lane & 1u) * 2u + (lane >> 1 & 1u); }
