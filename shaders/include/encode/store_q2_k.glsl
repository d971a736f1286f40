// Q2_K: 256 weights in 84 bytes (drawn in quant/q2_k.cpp), as 32-bit words: four of scales, sixteen of codes, d and dmin.
#include "include/encode/two_bit_planes.glsl"

const uint kBlockWords = 21u;

/// Eight invocations store a super-block; each has two groups' scale and minimum, and the codes of its 32 weights, one a byte.
void storeSuperBlock(bool alive, uint at, uint lane, uint scales, uvec2 scale, uvec2 minimum, uint word[8]) {
	const uvec2 planes = gatherTwoBits(lane, word);
	const uint own = scale.x | minimum.x << 4 | scale.y << 8 | minimum.y << 12;
	const uint neighbours = superReadXor(own, 1u);
	if (!alive) return;
	if ((lane & 1u) == 0u) target[at + lane / 2u] = own | neighbours << 16;
	const uint plane_at = at + 4u + (lane >> 2) * 8u + twoBitPart(lane) * 2u;
	target[plane_at] = planes.x;
	target[plane_at + 1u] = planes.y;
	if (lane == 0u) target[at + 20u] = scales;
}
