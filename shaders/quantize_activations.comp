#version 460
// x [count][columns] floats -> 8 bits per 32, laid out for product.comp (shared/product.h): scale = max|x| / 127, code = round(x / scale).
// One lane a block.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const bool kBytes = false;   // for products of packed bytes
layout(push_constant, scalar) uniform Push { QuantizeActivationsPush push; };
layout(binding = 0, scalar) readonly buffer Input { float x[]; };
layout(binding = 1, scalar) writeonly buffer Output { uint quantized[]; };

void main() {
	const uint block = gl_GlobalInvocationID.x, vector = gl_GlobalInvocationID.y;
	if (block >= push.blocks) return;
	const uint from = vector * push.x_stride + block * 32u;
	const uint code_words = kBytes ? VKQ_ACTIVATION_BYTE_WORDS : VKQ_ACTIVATION_PAIR_WORDS;
	const uint to = vector * push.blocks * (code_words + 2u);
	float largest = 0.0;
	for (uint i = 0; i < 32u; ++i) largest = max(largest, abs(x[from + i]));
	const float scale = largest / 127.0;
	const float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
	int sums[2] = {0, 0};
	[[unroll]] for (uint h = 0; h < 2u; ++h) {
		for (uint p = h * 8u; p < h * 8u + 8u; ++p) {
			const uint element = from + 8u * (p / 4u) + p % 4u;
			const int first = int(roundEven(x[element] * inverse));
			const int second = int(roundEven(x[element + 4u] * inverse));
			sums[h] += first + second;
			if (!kBytes) quantized[to + block * VKQ_ACTIVATION_PAIR_WORDS + p] = uint(first) * 65536u + uint(second);
		}
	}
	if (kBytes) {
		for (uint p = 0; p < VKQ_ACTIVATION_BYTE_WORDS; ++p) {
			uint word = 0u;
			for (uint i = 0; i < 4u; ++i) word |= (uint(int(roundEven(x[from + 8u * (p / 2u) + p % 2u + 2u * i] * inverse))) & 0xffu) << (8u * i);
			quantized[to + block * VKQ_ACTIVATION_BYTE_WORDS + p] = word;
		}
	}
	const uint meta = to + push.blocks * code_words + block * 2u;
	quantized[meta] = floatBitsToUint(scale);
	quantized[meta + 1u] = uint(sums[1]) * 65536u + (uint(sums[0]) & 0xffffu);
}
