// Q4_K: 256 weights in 144 bytes (drawn in quant/q4_k.cpp), as 32-bit words: d and dmin, three of scales, 32 of codes.
#include "include/encode/pack_scales.glsl"

const uint kBlockWords = 36u;

/// Eight invocations store a super-block; each has the codes of its own 32 weights, one a byte. Two neighbours' nibbles share bytes.
void storeSuperBlock(bool alive, uint at, uint lane, uint scales, uint scale, uint minimum, uint word[8]) {
	const uvec3 packed = packScales(lane, scale, minimum);
	const bool odd = (lane & 1u) != 0u;
	uint both[4];
	[[unroll]] for (int k = 0; k < 4; ++k) {
		const uint other = superReadXor(odd ? word[k] : word[k + 4], 1u);
		both[k] = odd ? other | word[k + 4] << 4 : word[k] | other << 4;
	}
	if (!alive) return;
	[[unroll]] for (int k = 0; k < 4; ++k) target[at + 4u + lane * 4u + k] = both[k];
	if (lane < 4u) target[at + lane] = lane == 0u ? scales : packed[lane - 1u];
}
