#version 460
// output[row][i] = act(gate[row][i]) * linear[row][i]; act is SiLU or GELU (tanh form). Gate and linear may be halves of one fused row.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { ActivationPush push; };
layout(binding = 0, scalar) readonly buffer Gate { float gate[]; };
layout(binding = 1, scalar) buffer Linear { float linear[]; };
layout(binding = 2, scalar) buffer Output { float activated[]; };

float silu(float x) { return x / (1.0 + exp(-x)); }

// tanh(z) as 1 - 2 / (e^2z + 1): right at both ends, where e^2z is infinite or 0.
float gelu(float x) { return x * (1.0 - 1.0 / (exp(2.0 * 0.7978845608028654 * (x + 0.044715 * x * x * x)) + 1.0)); }

void main() {
	const uint i = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
	if (i >= push.columns) return;
	const float x = gate[row * push.gate_stride + i];
	activated[row * push.output_stride + i] = (push.gelu != 0u ? gelu(x) : silu(x)) * linear[row * push.linear_stride + push.linear_offset + i];
}
