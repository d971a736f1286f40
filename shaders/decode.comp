#version 460
// Blocks of a format to floats: equals decodeRow() of quant/codec.h. One invocation 32 weights.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/decode.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { DecodePush push; };
layout(binding = 0, scalar) readonly buffer Source { uint source_words[]; };
layout(binding = 1, scalar) writeonly buffer Output { float decoded[]; };

uint blockWords(uint index) { return source_words[index]; }
#include "formats/format.glsl"

void main() {
	const uint part = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
	if (part >= push.parts) return;
	const uint parts_in_block = kBlockElements / 32u;
	float value[32];
	unpack32(push.source_byte + part / parts_in_block * kBlockBytes, part % parts_in_block, value);
	[[unroll]] for (int i = 0; i < 32; ++i) decoded[push.output_word + part * 32u + i] = value[i];
}
