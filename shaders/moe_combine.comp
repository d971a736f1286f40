#version 460
// output[token] (+)= sum over the token's experts of weight * down[token][place].
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { MoeCombinePush push; };
layout(binding = 0, scalar) readonly buffer Down { float down[]; };       // [tokens][used][columns]
layout(binding = 1, scalar) readonly buffer Choice { uint choice[]; };
layout(binding = 2, scalar) buffer Output { float combined[]; };

void main() {
	const uint i = gl_GlobalInvocationID.x, token = gl_WorkGroupID.y;
	if (i >= push.columns) return;
	float sum = push.accumulate != 0u ? combined[token * push.columns + i] : 0.0;
	for (uint k = 0; k < push.used; ++k) {
		const uint slot = token * push.used + k;
		sum += uintBitsToFloat(choice[push.weights_offset + slot]) * down[slot * push.columns + i];
	}
	combined[token * push.columns + i] = sum;
}
