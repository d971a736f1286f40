// Parameters of the small kernels between the products: norm, rotate_heads, attention, activation, moe_routing.
// Strides and offsets are in 32-bit words.
#ifndef VKQ_SHADERS_TRANSFORMER_H
#define VKQ_SHADERS_TRANSFORMER_H
#include "interface.h"

// Whose heads rotate_heads has.
#define VKQ_ROLE_QUERY 0
#define VKQ_ROLE_KEY 1
#define VKQ_ROLE_VALUE 2

// Cache cells whose words alternate, in K: neighbouring lanes score neighbouring cells.
#define VKQ_KEY_INTERLEAVE 32

// Elements that a Hadamard transform mixes.
#define VKQ_HADAMARD 64

VKQ_SHARED_BEGIN
struct NormPush {
	uint columns;
	uint first_row;      // of x
	float eps;
};
VKQ_PUSH_SIZE(NormPush, 12);

struct RotateHeadsPush {
	uint query_heads, key_heads;      // of the dispatch; the rest are values
	uint query_stride, key_stride, value_stride;   // from one token's projection to the next
	uint query_offset, key_offset, value_offset;   // where head 0 lies in them
	uint key_first_head, value_first_head;         // of the caches' pieces
	uint pairs;                       // rotated ones; 0: none
	uint half_split;                  // 1: pairs (i, i + pairs), 0: (2i, 2i + 1)
	uint rotation_offset;             // of the table, in pairs of floats
	float query_scale;                // what queries are multiplied by
	float eps;
	uint cells;                       // of a head in the cache: position % cells is a token's
	uint key_high_word, key_scale_word, value_high_word, value_scale_word;   // where the caches' planes 1 and 2 start
};
VKQ_PUSH_SIZE(RotateHeadsPush, 80);

struct AttentionPush {
	uint query_stride, output_stride; // from one token to the next
	uint first_head;                  // key/value head of the dispatch's first workgroup
	uint heads;                       // query heads in all
	uint cells;
	uint window;                      // tokens; 0: all
	float softcap;                    // 0: none
	uint key_high_word, key_scale_word;
	uint value_high_word, value_scale_word;
	uint splits;
	uint key_first_row, value_first_row;   // of the dispatch's first head in the pieces
	uint query_address[2], key_address[2], value_address[2];   // low and high words; 0 where the device has no addresses
	uint last_octet, last_value_row;  // of a head's dimensions, of the piece: bounds that are not known when the shader is compiled
};
VKQ_PUSH_SIZE(AttentionPush, 88);

struct AttentionMergePush {
	uint heads;
	uint splits;
	uint output_stride;
	uint tokens;
};
VKQ_PUSH_SIZE(AttentionMergePush, 16);

struct HadamardPush {
	uint blocks;         // of VKQ_HADAMARD
	uint row_blocks;     // of a row
};
VKQ_PUSH_SIZE(HadamardPush, 8);

struct ActivationPush {
	uint columns;
	uint rows;
	uint gate_stride;
	uint linear_stride, linear_offset;
	uint output_stride;
	uint gelu;           // 1: GELU (tanh), 0: SiLU
};
VKQ_PUSH_SIZE(ActivationPush, 28);

struct SoftcapPush {
	uint count;
	float cap;
};
VKQ_PUSH_SIZE(SoftcapPush, 8);

struct MoeRoutingPush {
	uint experts;
	uint used;
	uint weights_offset;   // where the weights start behind the choices
	uint normalize;        // 1: the chosen weights sum to 1
};
VKQ_PUSH_SIZE(MoeRoutingPush, 16);

struct MoeCombinePush {
	uint columns;
	uint tokens;
	uint used;
	uint weights_offset;
	uint accumulate;       // 1: add to the output
};
VKQ_PUSH_SIZE(MoeCombinePush, 20);

struct SumSquaresPush {
	uint columns;
	uint slots;
	uint slots_per_row;    // slots that share a row of the input
	uint experts;
};
VKQ_PUSH_SIZE(SumSquaresPush, 16);
VKQ_SHARED_END

#endif
