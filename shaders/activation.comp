#version 460
// output[row][i] = act(gate[row][i]) * linear[row][i]; act is SiLU or GELU (tanh form). Gate and linear may be halves of one fused row.
// A lane has one element; where kOutputs wants 8 bits, a block of 32.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kOutputs = VKQ_OUTPUT_FLOATS;
layout(push_constant, scalar) uniform Push { ActivationPush push; };
layout(binding = 0, scalar) readonly buffer Gate { float gate[]; };
layout(binding = 1, scalar) buffer Linear { float linear[]; };
layout(binding = 2, scalar) buffer Output { float activated[]; };
layout(binding = 3, scalar) writeonly buffer Quantized { uint quantized[]; };

#include "include/activation_output.glsl"

float silu(float x) { return x / (1.0 + exp(-x)); }

// tanh(z) as 1 - 2 / (e^2z + 1): right at both ends, where e^2z is infinite or 0.
float gelu(float x) { return x * (1.0 - 1.0 / (exp(2.0 * 0.7978845608028654 * (x + 0.044715 * x * x * x)) + 1.0)); }

float activatedAt(uint row, uint i) {
	const float x = gate[row * push.gate_stride + i];
	return (push.gelu != 0u ? gelu(x) : silu(x)) * linear[row * push.linear_stride + push.linear_offset + i];
}

void main() {
	const uint lane = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
	if (!kQuantizedOutput) {
		if (lane < push.columns) activated[row * push.output_stride + lane] = activatedAt(row, lane);
		return;
	}
	if (lane >= push.columns / 32u) return;
	float v[32];
	[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = activatedAt(row, lane * 32u + i);
	quantizeBlock(v, row, lane, push.columns / 32u);
	if (kFloatOutput) [[unroll]] for (uint i = 0; i < 32u; ++i) activated[row * push.output_stride + lane * 32u + i] = v[i];
}
