#version 460
// x = cap * tanh(x / cap), in place.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { SoftcapPush push; };
layout(binding = 0, scalar) buffer Values { float x[]; };

void main() {
	const uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
	for (uint i = gl_GlobalInvocationID.x; i < push.count; i += stride) x[i] = push.cap * tanh(clamp(x[i] / push.cap, -20.0, 20.0));
}
