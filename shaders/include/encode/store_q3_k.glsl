// Q3_K: 256 weights in 110 bytes (drawn in quant/q3_k.cpp), as 16-bit words: sixteen of third bits, 32 of codes, six of scales, d.
#include "include/encode/store16.glsl"
#include "include/encode/two_bit_planes.glsl"

const uint kBlockHalves = 55u;

/// Eight invocations store a super-block; each has two groups' scales (0 .. 63, a byte each) and the codes of its 32 weights, one a byte.
void storeSuperBlock(bool alive, uint at, uint lane, uint d, uint scale_codes, uint word[8]) {
	const uvec2 planes = gatherTwoBits(lane, word);
	uint high = 0u;   // third bits: bit j of byte l belongs to weight l of the j-th 32
	[[unroll]] for (int k = 0; k < 8; ++k) {
		const uint all = superOr((word[k] >> 2 & 0x01010101u) << lane);
		if (lane == k) high = all;
	}
	uvec3 scales = uvec3(0u);
	[[unroll]] for (uint g = 0u; g < 2u; ++g) {
		const uint j = 2u * lane + g, code = scale_codes >> (8u * g) & 0xffu;
		const uint low_bits = (code & 15u) << (8u * (j & 3u) + 4u * (j >> 3));
		if ((j & 4u) == 0u) scales.x |= low_bits;
		else scales.y |= low_bits;
		scales.z |= (code >> 4) << (8u * (j & 3u) + 2u * (j >> 2));
	}
	scales = uvec3(superOr(scales.x), superOr(scales.y), superOr(scales.z));
	if (!alive) return;
	storeWord(at + 2u * lane, high);
	const uint plane_at = at + 16u + (lane >> 2) * 16u + twoBitPart(lane) * 4u;
	storeWord(plane_at, planes.x);
	storeWord(plane_at + 2u, planes.y);
	if (lane < 3u) storeWord(at + 48u + 2u * lane, scales[lane]);
	if (lane == 0u) storeHalf(at + 54u, d);
}
