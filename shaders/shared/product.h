// Parameters of product.comp, quantize_activations.comp, round_activations.comp and group_experts.comp, and the codings of the device layout
// (quant/device_layout.h) that the shaders are specialized for.
#ifndef VKQ_SHADERS_PRODUCT_H
#define VKQ_SHADERS_PRODUCT_H
#include "interface.h"

// How plane 0 (and 1) hold a row's numbers.
#define VKQ_CODES_2 2     // 16 codes a word
#define VKQ_CODES_3 3     // 2 low bits, 1 high bit
#define VKQ_CODES_4 4
#define VKQ_CODES_5 5     // 4 low bits, 1 high bit
#define VKQ_CODES_6 6     // 4 low bits, 2 high bits
#define VKQ_CODES_8 8
#define VKQ_CODES_F16 16
#define VKQ_CODES_BF16 17
#define VKQ_CODES_F32 32

// What planes 2 and 3 hold.
#define VKQ_SCALES_NONE 0
#define VKQ_SCALES_F16 1            // one a 32
#define VKQ_SCALES_F16_MINIMUM 2    // scale and minimum a 32
#define VKQ_SCALES_EXPONENT 3       // a byte e a 32: 2^(e - 128)
#define VKQ_SCALES_BYTES_32 4       // scale byte, minimum byte a 32; times F16 scale, F16 scale of the minimums a 256
#define VKQ_SCALES_NIBBLES_16 5     // scale and minimum in 4 bits each a 16; times the same
#define VKQ_SCALES_SIGNED_16 6      // signed byte a 16; times F32 a 256
#define VKQ_SCALES_SIGNED_32 7      // signed byte a 32; times F32 a 256

// What a 4-bit code means.
#define VKQ_TABLE_NONE 0     // itself
#define VKQ_TABLE_IQ4 1      // the non-linear table of IQ4_NL and IQ4_XS
#define VKQ_TABLE_E2M1 2     // twice a 4-bit float

// How work finds its expert.
#define VKQ_ROUTE_NONE 0     // one matrix
#define VKQ_ROUTE_SLOTS 1    // routing[slot] is the expert; each slot is a column of its own
#define VKQ_ROUTE_LISTS 2    // routing is group_experts.comp's output; each expert multiplies its list of slots

// An activation block of 32 in 8 bits: 16 words, of which word p holds code e(p) in its high half and code e(p) + 4 in its low half,
// e(p) = 8 (p / 4) + p % 4; all blocks of a vector, then for each the F32 scale and a word with the sums of its first (low) and last 16 codes.
#define VKQ_ACTIVATION_PAIR_WORDS 16
#define VKQ_ACTIVATION_WORDS 18
// The same for products of packed bytes: 8 words, of which word p holds codes 8 (p / 2) + p % 2 + 0, 2, 4, 6 from the low byte up.
#define VKQ_ACTIVATION_BYTE_WORDS 8
#define VKQ_ACTIVATION_BYTES_WORDS 10

// What kernels put out for products to read: bits of kOutputs (include/activation_output.glsl).
#define VKQ_OUTPUT_FLOATS 1
#define VKQ_OUTPUT_8BITS 2
#define VKQ_OUTPUT_BYTES 4    // the 8 bits for products of packed bytes

// How round_activations.comp rounds.
#define VKQ_ROUND_HALF 1
#define VKQ_ROUND_BFLOAT 2
#define VKQ_ROUND_BITS8 3     // codes of -127..127 times a scale a block

// The tile of product_tiled.comp, and its workgroup.
#define VKQ_TILED_ROWS 64
#define VKQ_TILED_COLUMNS 64
#define VKQ_TILED_LANES 256

VKQ_SHARED_BEGIN
struct ProductPart {
	uint first_group;                           // workgroups from here on in x are this matrix's; beyond the grid: there is none
	uint rows;                                  // of the matrix, or of one expert
	uint piece_rows;                            // of all experts
	uint weights_word;                          // where it starts in the binding
	uint y_word;                                // where its output does; vectors of it are packed
};

struct ProductPush {
	uint columns;                               // elements of a row
	uint rows;                                  // of the matrix, or of one expert
	uint piece_first;                           // the piece's first row, counted through all experts
	uint piece_rows;
	uint first_row;                             // of the matrix (of its expert): where the dispatch begins
	uint weights_word, y_word;                  // where the matrix and its output start in their bindings
	uint row_words, row_high_words, row_scale_words, row_super_words;
	uint count;                                 // input vectors
	uint x_stride, y_stride;                    // words from one vector to the next
	uint accumulate;                            // 1: y += product
	uint routing;                               // VKQ_ROUTE_*
	uint slots_per_x;                           // routed: slot / slots_per_x is the input vector
	uint list_stride;                           // VKQ_ROUTE_LISTS: words from one expert's list to the next
	uint weights_address[2], x_address[2];      // low and high words of where the bindings lie; 0 where the device has no addresses
	ProductPart second, third;                  // whole matrices of the same type that multiply the same vectors
};
VKQ_PUSH_SIZE(ProductPush, 128);

struct QuantizeActivationsPush {
	uint blocks;       // of 32 elements a vector
	uint count;        // vectors
	uint x_stride;     // words
};
VKQ_PUSH_SIZE(QuantizeActivationsPush, 12);

struct RoundActivationsPush {
	uint columns;
	uint count;        // vectors
	uint x_stride;     // words; what is written is packed
};
VKQ_PUSH_SIZE(RoundActivationsPush, 12);

struct GroupExpertsPush {
	uint slots;          // tokens x experts a token
	uint experts;
	uint list_stride;    // words: 1 + the most slots that can choose one expert
};
VKQ_PUSH_SIZE(GroupExpertsPush, 12);
VKQ_SHARED_END

#endif
