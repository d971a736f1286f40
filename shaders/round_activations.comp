#version 460
// x [count][columns] floats -> the same rounded as the reference rounds inputs: quant/activation_rounding.h, whose roundActivations() this equals.
// One lane a block of kBlock elements; kBlock is what shares a scale, or any divisor of the columns where nothing does.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#include "shared/product.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 3) const uint kRounding = VKQ_ROUND_BITS8;
layout(constant_id = 4) const uint kBlock = 32;
layout(constant_id = 5) const bool kHalfScale = true;
layout(push_constant, scalar) uniform Push { RoundActivationsPush push; };
layout(binding = 0, scalar) readonly buffer Input { float x[]; };
layout(binding = 1, scalar) writeonly buffer Output { float rounded[]; };

float roundAlone(float value) {
	if (kRounding == VKQ_ROUND_HALF) return unpackHalf2x16(packHalf2x16(vec2(value, 0.0))).x;
	const uint bits = floatBitsToUint(value);
	return uintBitsToFloat((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u);
}

void main() {
	const uint block = gl_GlobalInvocationID.x, vector = gl_GlobalInvocationID.y;
	if (block >= push.columns / kBlock) return;
	const uint from = vector * push.x_stride + block * kBlock, to = vector * push.columns + block * kBlock;
	if (kRounding != VKQ_ROUND_BITS8) {
		for (uint i = 0; i < kBlock; ++i) rounded[to + i] = roundAlone(x[from + i]);
		return;
	}
	float largest = 0.0;
	for (uint i = 0; i < kBlock; ++i) largest = max(largest, abs(x[from + i]));
	const float inverse = largest > 0.0 ? 127.0 / largest : 0.0;
	float scale = largest / 127.0;
	if (kHalfScale) scale = unpackHalf2x16(packHalf2x16(vec2(scale, 0.0))).x;
	for (uint i = 0; i < kBlock; ++i) rounded[to + i] = scale * roundEven(x[from + i] * inverse);
}
