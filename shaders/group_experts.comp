#version 460
// expert of each slot (token x place) -> for each expert the number of its slots and the slots, ascending. One lane an expert.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/product.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { GroupExpertsPush push; };
layout(binding = 0, scalar) readonly buffer Chosen { uint expert_of[]; };
layout(binding = 1, scalar) writeonly buffer Lists { uint lists[]; };

void main() {
	const uint expert = gl_GlobalInvocationID.x;
	if (expert >= push.experts) return;
	const uint list = expert * push.list_stride;
	uint count = 0u;
	for (uint slot = 0; slot < push.slots; ++slot) {
		if (expert_of[slot] != expert) continue;
		++count;
		lists[list + count] = slot;
	}
	lists[list] = count;
}
