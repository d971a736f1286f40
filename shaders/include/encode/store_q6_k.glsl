// Q6_K: 256 weights in 210 bytes (drawn in quant/q6_k.cpp), as 16-bit words: 64 of low nibbles, 32 of high bits, eight of scales, d.
#include "include/encode/store16.glsl"
#include "include/encode/two_bit_planes.glsl"

const uint kBlockHalves = 105u;

/// Eight invocations store a super-block; each has two groups' scales (a byte each) and the six-bit codes of its 32 weights, one a byte.
void storeSuperBlock(bool alive, uint at, uint lane, uint d, uint scale_codes, uint word[8]) {
	// In each half of four lanes, low nibbles: lane k's 32 share bytes with those of lane k ^ 2.
	const uint quarter = lane & 3u;
	const bool upper = quarter >= 2u;
	uint low[4];
	[[unroll]] for (int k = 0; k < 4; ++k) {
		const uint other = superReadXor(upper ? word[k] : word[k + 4], 2u) & 0x0f0f0f0fu;
		const uint mine = (upper ? word[k + 4] : word[k]) & 0x0f0f0f0fu;
		low[k] = upper ? other | mine << 4 : mine | other << 4;
	}
	[[unroll]] for (int k = 0; k < 8; ++k) word[k] >>= 4;   // what spills over from the next byte is not looked at
	const uvec2 high = gatherTwoBits(lane, word);

	if (!alive) return;
	const uint half_block = lane >> 2;
	// low[64 h + 32 (k % 2) ..]: the first sixteen bytes of these 32 belong to the lower lane, the rest to the upper.
	const uint low_at = at + half_block * 32u + (quarter & 1u) * 16u + (upper ? 8u : 0u);
	[[unroll]] for (int k = 0; k < 4; ++k) storeWord(low_at + 2u * k, low[k]);
	const uint high_at = at + 64u + half_block * 16u + twoBitPart(lane) * 4u;
	storeWord(high_at, high.x);
	storeWord(high_at + 2u, high.y);
	storeHalf(at + 96u + lane, scale_codes);
	if (lane == 0u) storeHalf(at + 104u, d);
}
