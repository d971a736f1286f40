// How weights and x reach the lanes of product.comp. x is the same for all lanes.
//
//   VKQ_STREAM        Whole vectors of weights (stream_loads.glsl); x is read at the same address by all lanes.
//   else, kBroadcast  Each lane loads its own words, and one of eight consecutive words of x, which the subgroup passes round.
//   else              ... every lane loads all of x.

#ifdef VKQ_STREAM

#include "stream_loads.glsl"

layout(buffer_reference, scalar, buffer_reference_align = 8) readonly buffer InputPairs { uvec2 pairs[]; };
layout(buffer_reference, scalar, buffer_reference_align = 16) readonly buffer InputQuads { uvec4 quads[]; };

#define WEIGHT_PLANES StreamWords(uvec2(push.weights_address[0], push.weights_address[1])).eights
#define INPUT_QUADS InputQuads(uvec2(push.x_address[0], push.x_address[1])).quads

const uint kSpread = 8u;                 // words of x that a lane holds of eight
const uint kEights = kInterleave / 8u;   // of a group's neighbouring words

/// `base`: planeBase().
uint loadWeight(uint base, uint word) {
	const uint own = pickOwn(WEIGHT_PLANES[(base + word) * kEights]);
	if (kEights == 1u) return own;
	const uint second = pickOwn(WEIGHT_PLANES[(base + word) * kEights + 1u]);
	return (gl_SubgroupInvocationID & 8u) != 0u ? second : own;
}

/// The row of the piece that a lane reads, by its group's first; groups beyond the end read the piece's first.
uint loadedRow(Work work, uint group_row, uint lane) {
	const uint piece_row = pieceRow(work, group_row);
	return piece_row < matrix.piece_rows ? piece_row : 0u;
}

/// Where a row's words of a plane start, counted in groups' words.
uint planeBase(uint plane_word, uint row, uint row_words) { return plane_word / kInterleave + row / kInterleave * row_words; }

uvec2 loadTwo(uint at) { return InputPairs(uvec2(push.x_address[0], push.x_address[1])).pairs[at / 2u]; }   // `at` is even
uint loadInput(uint at) { return INPUT_QUADS[at / 4u][at & 3u]; }

#define LOAD_EIGHT(words, c, at) { \
	const uvec4 a_ = INPUT_QUADS[(at) / 4u], b_ = INPUT_QUADS[(at) / 4u + 1u]; \
	[[unroll]] for (uint i_ = 0; i_ < 4u; ++i_) { words[(c) * 8u + i_] = a_[i_]; words[(c) * 8u + 4u + i_] = b_[i_]; } \
}
#define FROM_EIGHT(words, c, i) words[(c) * 8u + (i) % 8u]

#else

const uint kSpread = kBroadcast != 0u ? 1u : 8u;   // words of x that a lane holds of eight

uint loadWeight(uint base, uint word) { return weights[base + word * kInterleave]; }

/// The row of the piece that a lane reads; lanes beyond the end read the piece's first.
uint loadedRow(Work work, uint group_row, uint lane) {
	const uint piece_row = pieceRow(work, group_row + lane);
	return piece_row < matrix.piece_rows ? piece_row : 0u;
}

/// Where a row's words of a plane start.
uint planeBase(uint plane_word, uint row, uint row_words) { return plane_word + rowBase(row, row_words); }

uvec2 loadTwo(uint at) { return uvec2(x[at], x[at + 1u]); }
uint loadInput(uint at) { return x[at]; }

// Macros: arrays of specialized size are no arguments in glslang 12.
#define LOAD_EIGHT(words, c, at) { \
	if (kBroadcast != 0u) words[c] = x[(at) + (gl_SubgroupInvocationID & 7u)]; \
	else [[unroll]] for (uint i_ = 0; i_ < 8u; ++i_) words[(c) * kSpread + i_ % kSpread] = x[(at) + i_]; \
}
/// Word i of the eight that the lanes hold in `words` for column c.
#define FROM_EIGHT(words, c, i) (kBroadcast != 0u ? subgroupBroadcast(words[c], i) : words[(c) * kSpread + (i) % kSpread])

#endif

/// As LOAD_EIGHT(words, c, x_base[c] + first), elements from `end` on being 0.
#define LOAD_EIGHT_BEFORE(words, c, first, end) { \
	[[unroll]] for (uint i_ = 0; i_ < kSpread; ++i_) { \
		const uint at_ = (first) + (kSpread == 1u ? gl_SubgroupInvocationID & 7u : i_); \
		words[(c) * kSpread + i_] = at_ < (end) ? loadInput(x_base[c] + at_) : 0u; \
	} \
}
