// Four consecutive elements of a row of a cache. Include once for each cache, with
//   CACHE_LOAD name of the function, CACHE_WORDS its buffer, CACHE_TYPE, CACHE_INTERLEAVE, CACHE_HIGH and CACHE_SCALE (start of planes 1 and 2, words)
// Needs kHeadDim and cache_layout.glsl.

vec4 CACHE_LOAD(uint row, uint quad) {
	const uint row_words = kHeadDim / cacheCodeElements(CACHE_TYPE);
	if (CACHE_TYPE == VKQ_F32) {
		vec4 x;
		[[unroll]] for (uint i = 0; i < 4u; ++i) x[i] = uintBitsToFloat(CACHE_WORDS[cacheWord(row, 4u * quad + i, row_words, CACHE_INTERLEAVE)]);
		return x;
	}
	if (CACHE_TYPE == VKQ_F16) {
		const vec2 low = unpackHalf2x16(CACHE_WORDS[cacheWord(row, 2u * quad, row_words, CACHE_INTERLEAVE)]);
		const vec2 high = unpackHalf2x16(CACHE_WORDS[cacheWord(row, 2u * quad + 1u, row_words, CACHE_INTERLEAVE)]);
		return vec4(low, high);
	}
	const uint block = quad / 8u;
	const uint scale_words = (kHeadDim + cacheScaleElements(CACHE_TYPE) - 1u) / cacheScaleElements(CACHE_TYPE);
	const uint scale_word = CACHE_WORDS[CACHE_SCALE + cacheWord(row, block * 32u / cacheScaleElements(CACHE_TYPE), scale_words, CACHE_INTERLEAVE)];
	const vec2 scales = unpackHalf2x16(scale_word);
	const float scale = !cacheHasMinimum(CACHE_TYPE) && (block & 1u) != 0u ? scales.y : scales.x;
	if (CACHE_TYPE == VKQ_Q8_0) {
		const int word = int(CACHE_WORDS[cacheWord(row, quad, row_words, CACHE_INTERLEAVE)]);
		return vec4(bitfieldExtract(word, 0, 8), bitfieldExtract(word, 8, 8), bitfieldExtract(word, 16, 8), word >> 24) * scale;
	}
	const uint word = CACHE_WORDS[cacheWord(row, quad / 2u, row_words, CACHE_INTERLEAVE)] >> ((quad & 1u) * 16u);
	uvec4 codes = uvec4(word, word >> 4, word >> 8, word >> 12) & 15u;
	if (CACHE_TYPE == VKQ_IQ4_NL) return vec4(kIq4Table[codes.x], kIq4Table[codes.y], kIq4Table[codes.z], kIq4Table[codes.w]) * scale;
	if (cacheHasFifthBit(CACHE_TYPE)) {
		const uint bits = CACHE_WORDS[CACHE_HIGH + cacheWord(row, block, kHeadDim / 32u, CACHE_INTERLEAVE)] >> ((quad & 7u) * 4u);
		codes |= (uvec4(bits, bits >> 1, bits >> 2, bits >> 3) & 1u) << 4;
	}
	if (cacheHasMinimum(CACHE_TYPE)) return vec4(codes) * scale + scales.y;
	return (vec4(codes) - (CACHE_TYPE == VKQ_Q5_0 ? 16.0 : 8.0)) * scale;
}
#undef CACHE_LOAD
#undef CACHE_WORDS
#undef CACHE_TYPE
#undef CACHE_INTERLEAVE
#undef CACHE_HIGH
#undef CACHE_SCALE
