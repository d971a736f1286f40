#version 460
// Joins the splits of attention.comp: sums shrink to the common maximum, then are divided by the common sum. One workgroup a head and token.
// Splits that saw no position have sum 0 and the lowest maximum.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { AttentionMergePush push; };
layout(binding = 0, scalar) readonly buffer Splits { float parts[]; };
layout(binding = 1, scalar) writeonly buffer Output { float mixed[]; };

void main() {
	const uint head = gl_WorkGroupID.x, token = gl_WorkGroupID.y;
	const uint size = push.head_dim + 2u;
	const uint first = (token * push.heads + head) * size, step = push.tokens * push.heads * size;
	float maximum = parts[first + push.head_dim];
	for (uint s = 1; s < push.splits; ++s) maximum = max(maximum, parts[first + s * step + push.head_dim]);
	float sum = 0.0;
	for (uint s = 0; s < push.splits; ++s) sum += parts[first + s * step + push.head_dim + 1u] * exp(parts[first + s * step + push.head_dim] - maximum);
	for (uint i = gl_LocalInvocationID.x; i < push.head_dim; i += gl_WorkGroupSize.x) {
		float total = 0.0;
		for (uint s = 0; s < push.splits; ++s) total += parts[first + s * step + i] * exp(parts[first + s * step + push.head_dim] - maximum);
		mixed[token * push.output_stride + head * push.head_dim + i] = total / sum;
	}
}
