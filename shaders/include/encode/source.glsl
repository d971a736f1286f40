// The weights to encode, read as 32-bit words: which kind they are is fixed when the pipeline is made.

layout(binding = 0, scalar) readonly buffer Source { uint source_words[]; };

layout(constant_id = 4) const uint kSource = kSourceF16;
layout(constant_id = 5) const bool kOddSource = false;   // a 16-bit source that begins in the middle of a word

vec2 sourcePair(uint at) {
	uint word = source_words[at];
	if (kOddSource) word = (word >> 16) | (source_words[at + 1u] << 16);
	if (kSource == kSourceF16) return unpackHalf2x16(word);
	return vec2(uintBitsToFloat(word << 16), uintBitsToFloat(word & 0xffff0000u));
}

/// array[base .. base + count) = the slab's weights from `first` (even) on. Fully unrolled: arrays with constant indices become registers.
#define LOAD_WEIGHTS_AT(array, base, count, first)                                                    \
	if (kSource == kSourceF32) {                                                                      \
		const uint load_word = push.source_word + (first);                                            \
		[[unroll]] for (int load_i = 0; load_i < (count); ++load_i)                                   \
			array[(base) + load_i] = uintBitsToFloat(source_words[load_word + load_i]);               \
	} else {                                                                                          \
		const uint load_word = push.source_word + (first) / 2u;                                       \
		[[unroll]] for (int load_i = 0; load_i < (count) / 2; ++load_i) {                             \
			const vec2 load_pair = sourcePair(load_word + load_i);                                    \
			array[(base) + 2 * load_i] = load_pair.x;                                                 \
			array[(base) + 2 * load_i + 1] = load_pair.y;                                             \
		}                                                                                             \
	}

#define LOAD_WEIGHTS(array, count, first) LOAD_WEIGHTS_AT(array, 0, count, first)
