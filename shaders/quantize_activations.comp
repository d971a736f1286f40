#version 460
// x [count][columns] floats -> 8 bits per 32, laid out for product.comp. One lane a block. Kernels that make what products read do this themselves.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kOutputs = VKQ_OUTPUT_8BITS;
layout(push_constant, scalar) uniform Push { QuantizeActivationsPush push; };
layout(binding = 0, scalar) readonly buffer Input { float x[]; };
layout(binding = 1, scalar) writeonly buffer Output { uint quantized[]; };

#include "include/activation_output.glsl"

void main() {
	const uint block = gl_GlobalInvocationID.x, vector = gl_GlobalInvocationID.y;
	if (block >= push.blocks) return;
	float v[32];
	[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = x[vector * push.x_stride + block * 32u + i];
	quantizeBlock(v, vector, block, push.blocks);
}
