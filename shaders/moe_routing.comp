#version 460
// Which experts a token goes to: softmax over all router logits, the `used` most probable (the first of equals), their weights,
// which sum to 1 if so asked. One workgroup a token.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_KHR_shader_subgroup_basic : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kExperts = 1;
layout(push_constant, scalar) uniform Push { MoeRoutingPush push; };
layout(binding = 0, scalar) readonly buffer Logits { float logits[]; };                // [tokens][experts]
layout(binding = 1, scalar) writeonly buffer Choice { uint choice[]; };                // u32 [tokens][used], at weights_offset f32 [tokens][used]

#include "include/reduce.glsl"

shared float probability[kExperts];
shared float chosen[kExperts];

void main() {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x, token = gl_WorkGroupID.x;
	float most = -3.402823e38;
	for (uint e = lane; e < push.experts; e += lanes) most = max(most, logits[token * push.experts + e]);
	most = workgroupMax(most);
	float sum = 0.0;
	for (uint e = lane; e < push.experts; e += lanes) {
		probability[e] = exp(logits[token * push.experts + e] - most);
		sum += probability[e];
	}
	sum = workgroupSum(sum);
	barrier();

	// Taken experts become negative.
	float chosen_sum = 0.0;
	for (uint k = 0; k < push.used; ++k) {
		float best = -1.0;
		for (uint e = lane; e < push.experts; e += lanes) best = max(best, probability[e]);
		best = workgroupMax(best);
		if (lane == 0u) {
			uint e = 0u;
			while (probability[e] != best && e + 1u < push.experts) ++e;
			probability[e] = -1.0;
			choice[token * push.used + k] = e;
		}
		chosen_sum += best;
		if (lane == 0u) chosen[k] = best;
		barrier();
	}
	const float divisor = push.normalize != 0u ? chosen_sum : sum;
	for (uint k = lane; k < push.used; k += lanes) choice[push.weights_offset + token * push.used + k] = floatBitsToUint(chosen[k] / divisor);
}
