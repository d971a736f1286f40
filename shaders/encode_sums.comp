#version 460
// sums[i] = sum of squares of span i (a row, or a super-block), in index order: one invocation a span, because the order is promised.
// Must equal sumOfSquares() of quant/scale_search.h.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/encode.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { EncodePush push; };   // units spans of row_elements weights

#include "include/encode/source.glsl"
layout(binding = 1, scalar) writeonly buffer Notes {
	uint note_count;
	uint notes_padding;
	EncodeNote notes[kNoteCapacity];
	float sums[];
};

void main() {
	const uint span = (gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationIndex;
	if (span >= push.units) return;
	precise float sum = 0.0;
	[[dont_unroll]] for (uint done = 0u; done < push.row_elements; done += 32u) {
		float x[32];
		LOAD_WEIGHTS(x, 32, span * push.row_elements + done)
		[[unroll]] for (int i = 0; i < 32; ++i) {
			precise float square = x[i] * x[i];
			sum = sum + square;
		}
	}
	sums[span] = sum;
}
