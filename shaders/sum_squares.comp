#version 460
// What importance matrices are made of: for each column of a product's input the sum over rows of its square, added to what is there.
//
//   sums[expert][column] += sum over the expert's slots of x[slot / slots_per_row][column]^2
//   sums[experts * columns + expert] += how many slots that were
//
// An invocation owns a column of one expert; without kRouted there is one expert, which sees all slots.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const bool kRouted = false;
layout(push_constant, scalar) uniform Push { SumSquaresPush push; };
layout(binding = 0, scalar) readonly buffer Input { float x[]; };
layout(binding = 1, scalar) readonly buffer Chosen { uint chosen[]; };
layout(binding = 2, scalar) buffer Sums { float sums[]; };

void main() {
	const uint column = gl_GlobalInvocationID.x, expert = gl_WorkGroupID.y;
	if (column >= push.columns) return;
	float sum = 0.0;
	uint count = 0u;
	for (uint slot = 0; slot < push.slots; ++slot) {
		if (kRouted && chosen[slot] != expert) continue;
		const float value = x[slot / push.slots_per_row * push.columns + column];
		sum += value * value;
		++count;
	}
	sums[expert * push.columns + column] += sum;
	if (column == 0u) sums[push.experts * push.columns + expert] += float(count);
}
