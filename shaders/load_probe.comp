#version 460
// sums[i] = the sum of every eighth word from word i % 8 on, of the groups of eight that workgroup i / 8 takes: what loads cost on a device.
// VKQ_STREAM: whole vectors (include/stream_loads.glsl); else each lane's own word through the binding. Both sums must be equal.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_KHR_shader_subgroup_basic : require
#ifdef VKQ_STREAM
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_buffer_reference_uvec2 : require
#include "include/stream_loads.glsl"
#endif
#include "shared/load_probe.h"

layout(local_size_x = VKQ_PROBE_LANES) in;
layout(push_constant, scalar) uniform Push { LoadProbePush push; };
layout(binding = 0, scalar) readonly buffer Words { uint words[]; };
layout(binding = 1, scalar) writeonly buffer Sums { uint sums[]; };

void main() {
	uint sum = 0u;
	for (uint i = gl_WorkGroupID.x; i < push.eights; i += gl_NumWorkGroups.x) {
#ifdef VKQ_STREAM
		sum += pickOwn(StreamWords(uvec2(push.address[0], push.address[1])).eights[min(i, push.eights - 1u)]);
#else
		sum += words[i * 8u + gl_LocalInvocationID.x];
#endif
	}
	sums[gl_GlobalInvocationID.x] = sum;
}
