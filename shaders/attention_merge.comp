#version 460
// Joins the splits of attention.comp: sums shrink to the common maximum, then are divided by the common sum. One workgroup a head and token.
// Splits that saw no position have sum 0 and the lowest maximum.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kHeadDim = 32;
layout(constant_id = 4) const uint kOutputs = VKQ_OUTPUT_FLOATS;
layout(push_constant, scalar) uniform Push { AttentionMergePush push; };
layout(binding = 0, scalar) readonly buffer Splits { float parts[]; };
layout(binding = 1, scalar) writeonly buffer Output { float mixed[]; };
layout(binding = 2, scalar) writeonly buffer Quantized { uint quantized[]; };

#include "include/activation_output.glsl"

shared float whole[kHeadDim];

void main() {
	const uint head = gl_WorkGroupID.x, token = gl_WorkGroupID.y;
	const uint size = kHeadDim + 2u;
	const uint first = (token * push.heads + head) * size, step = push.tokens * push.heads * size;
	float maximum = parts[first + kHeadDim];
	for (uint s = 1; s < push.splits; ++s) maximum = max(maximum, parts[first + s * step + kHeadDim]);
	float sum = 0.0;
	for (uint s = 0; s < push.splits; ++s) sum += parts[first + s * step + kHeadDim + 1u] * exp(parts[first + s * step + kHeadDim] - maximum);
	for (uint i = gl_LocalInvocationID.x; i < kHeadDim; i += gl_WorkGroupSize.x) {
		float total = 0.0;
		for (uint s = 0; s < push.splits; ++s) total += parts[first + s * step + i] * exp(parts[first + s * step + kHeadDim] - maximum);
		if (kFloatOutput) mixed[token * push.output_stride + head * kHeadDim + i] = total / sum;
		if (kQuantizedOutput) whole[i] = total / sum;
	}
	if (!kQuantizedOutput) return;
	barrier();
	const uint blocks = kHeadDim / 32u;
	for (uint block = gl_LocalInvocationID.x; block < blocks; block += gl_WorkGroupSize.x) {
		float v[32];
		[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = whole[block * 32u + i];
		quantizeBlock(v, token, head * blocks + block, push.heads * blocks);
	}
}
