#version 460
// The orthonormal Walsh-Hadamard transform of every VKQ_HADAMARD floats, in place: takes back what rotate_heads.comp did to values,
// after attention has mixed them. One lane a block. In 8 bits too, or instead, as kOutputs says.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kOutputs = VKQ_OUTPUT_FLOATS;
layout(push_constant, scalar) uniform Push { HadamardPush push; };
layout(binding = 0, scalar) buffer Values { float x[]; };
layout(binding = 1, scalar) writeonly buffer Quantized { uint quantized[]; };

#include "include/activation_output.glsl"

void main() {
	const uint block = gl_GlobalInvocationID.x;
	if (block >= push.blocks) return;
	float v[VKQ_HADAMARD];
	[[unroll]] for (uint i = 0; i < VKQ_HADAMARD; ++i) v[i] = x[block * VKQ_HADAMARD + i] * inversesqrt(float(VKQ_HADAMARD));
	[[unroll]] for (uint span = 1u; span < VKQ_HADAMARD; span *= 2u) {
		[[unroll]] for (uint i = 0; i < VKQ_HADAMARD / 2u; ++i) {
			const uint a = i / span * span * 2u + i % span, b = a + span;
			const float sum = v[a] + v[b], difference = v[a] - v[b];
			v[a] = sum;
			v[b] = difference;
		}
	}
	if (kFloatOutput) [[unroll]] for (uint i = 0; i < VKQ_HADAMARD; ++i) x[block * VKQ_HADAMARD + i] = v[i];
	if (kQuantizedOutput) {
		const uint of_32 = push.row_blocks * (VKQ_HADAMARD / 32u);
		[[unroll]] for (uint part = 0; part < VKQ_HADAMARD / 32u; ++part) {
			float own[32];
			[[unroll]] for (uint i = 0; i < 32u; ++i) own[i] = v[part * 32u + i];
			quantizeBlock(own, block / push.row_blocks, block % push.row_blocks * (VKQ_HADAMARD / 32u) + part, of_32);
		}
	}
}
