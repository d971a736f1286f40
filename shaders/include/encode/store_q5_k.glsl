// Q5_K: 256 weights in 176 bytes (drawn in quant/q5_k.cpp), as 32-bit words: d and dmin, three of scales, eight of fifth bits,
// 32 of codes.
#include "include/encode/pack_scales.glsl"

const uint kBlockWords = 44u;

/// As Q4_K; bit j of byte l of the fifth bits belongs to weight l of sub-block j.
void storeSuperBlock(bool alive, uint at, uint lane, uint scales, uint scale, uint minimum, uint word[8]) {
	const uvec3 packed = packScales(lane, scale, minimum);
	uint fifth = 0u;
	[[unroll]] for (int k = 0; k < 8; ++k) {
		const uint all = superOr(((word[k] >> 4) & 0x01010101u) << lane);
		if (lane == uint(k)) fifth = all;
		word[k] &= 0x0f0f0f0fu;
	}
	const bool odd = (lane & 1u) != 0u;
	uint both[4];
	[[unroll]] for (int k = 0; k < 4; ++k) {
		const uint other = superReadXor(odd ? word[k] : word[k + 4], 1u);
		both[k] = odd ? other | word[k + 4] << 4 : word[k] | other << 4;
	}
	if (!alive) return;
	[[unroll]] for (int k = 0; k < 4; ++k) target[at + 12u + lane * 4u + k] = both[k];
	target[at + 4u + lane] = fifth;
	if (lane < 4u) target[at + lane] = lane == 0u ? scales : packed[lane - 1u];
}
