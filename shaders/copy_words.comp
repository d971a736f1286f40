#version 460
// output[i] = input[i], 16 bytes a lane and step, grid-stride: what the device's memory can move at best.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/copy_words.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { CopyWordsPush push; };
layout(binding = 0, scalar) readonly buffer Input { uvec4 source[]; };
layout(binding = 1, scalar) writeonly buffer Output { uvec4 target[]; };

void main() {
	const uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
	for (uint i = gl_GlobalInvocationID.x; i < push.vec4s; i += stride) target[i] = source[i];
}
