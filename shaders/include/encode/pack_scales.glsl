// What Q4_K and Q5_K share: d and dmin, and sixteen 6-bit integers in twelve bytes (drawn in quant/affine_super_block.h).

/// The three words of 6-bit scales s_j and minima m_j, of which this invocation knows one pair.
uvec3 packScales(uint lane, uint scale, uint minimum) {
	const uint shift = (lane & 3u) * 8u;
	uvec3 words;
	if (lane < 4u) {
		words = uvec3(scale << shift, minimum << shift, 0u);
	} else {
		words = uvec3((scale >> 4) << (shift + 6u), (minimum >> 4) << (shift + 6u), ((scale & 15u) | (minimum & 15u) << 4) << shift);
	}
	return uvec3(superOr(words.x), superOr(words.y), superOr(words.z));
}
