#version 460
// Root mean square normalization of rows, one workgroup a row:
//
//   n(x, w)[i] = x[i] / sqrt(mean(x^2) + eps) * w[i]
//
//   kAfter   residual += n(y, after)      (gemma's norm of what a block put out)
//   kBefore  output = n(residual, before) (the next block's input), as floats and in 8 bits as kOutputs says
//
// Both in one pass over memory where both are wanted. Equals normalize() of ref/forward.cpp but for rounding.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#include "shared/product.h"
#include "shared/transformer.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const bool kAfter = false;
layout(constant_id = 4) const bool kBefore = true;
layout(constant_id = 5) const uint kOutputs = VKQ_OUTPUT_FLOATS;
layout(push_constant, scalar) uniform Push { NormPush push; };
layout(binding = 0, scalar) buffer Residual { float residual[]; };
layout(binding = 1, scalar) readonly buffer Input { float y[]; };
layout(binding = 2, scalar) readonly buffer After { float after[]; };
layout(binding = 3, scalar) readonly buffer Before { float before[]; };
layout(binding = 4, scalar) writeonly buffer Output { float normed[]; };
layout(binding = 5, scalar) writeonly buffer Quantized { uint quantized[]; };

#include "include/reduce.glsl"
#include "include/activation_output.glsl"

float inverseRoot(float squares) { return 1.0 / sqrt(squares / float(push.columns) + push.eps); }

void main() {
	const uint lane = gl_LocalInvocationID.x, lanes = gl_WorkGroupSize.x;
	const uint out_row = gl_WorkGroupID.x * push.columns, row = out_row + push.first_row * push.columns;
	float squares = 0.0;
	if (kAfter) {
		for (uint i = lane; i < push.columns; i += lanes) squares += y[row + i] * y[row + i];
		const float scale = inverseRoot(workgroupSum(squares));
		squares = 0.0;
		for (uint i = lane; i < push.columns; i += lanes) {
			const float x = residual[row + i] + y[row + i] * scale * after[i];
			residual[row + i] = x;
			squares += x * x;
		}
	} else {
		for (uint i = lane; i < push.columns; i += lanes) squares += residual[row + i] * residual[row + i];
	}
	if (kBefore) {
		const float scale = inverseRoot(workgroupSum(squares));
		if (kQuantizedOutput) {
			for (uint block = lane; block < push.columns / 32u; block += lanes) {
				float v[32];
				[[unroll]] for (uint i = 0; i < 32u; ++i) v[i] = residual[row + block * 32u + i] * scale * before[block * 32u + i];
				quantizeBlock(v, gl_WorkGroupID.x, block, push.columns / 32u);
				if (kFloatOutput) [[unroll]] for (uint i = 0; i < 32u; ++i) normed[out_row + block * 32u + i] = v[i];
			}
		} else {
			for (uint i = lane; i < push.columns; i += lanes) normed[out_row + i] = residual[row + i] * scale * before[i];
		}
	}
}
