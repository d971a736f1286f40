#version 460
// IQ4_XS: 256 weights in 136 bytes (drawn in quant/iq4_xs.cpp), x ~ d * (s_j - 32) * kIq4Values[q], eight sub-blocks j of 32.
// Must equal encodeRow() of quant/codec.h. One invocation a sub-block.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#ifndef EXCHANGE_SHARED
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#include "shared/encode.h"

layout(local_size_x_id = 0) in;
layout(push_constant, scalar) uniform Push { EncodePush push; };

#include "include/exact.glsl"
#include "include/encode/source.glsl"
#include "include/encode/notes.glsl"
#include "include/encode/super_block.glsl"

float x[32], w[32];
#include "include/encode/search_iq4.glsl"
#ifdef IMPORTANCE
#include "include/encode/importance.glsl"
#endif

layout(binding = 1, scalar) writeonly buffer Output { uint target[]; };

const uint kBlockWords = 34u;

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) seeMagnitude(x[i]);
	uint reasons = magnitudeReasons(POWER_OF_TWO(-45), POWER_OF_TWO(-42));
#ifdef IMPORTANCE
	precise float sigma2 = sums[element / 256u] * (2.0 / 256.0);
	IMPORTANCE_WEIGHTS(32, element % push.row_elements, sigma2)
#else
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float square = x[i] * x[i];
		w[i] = square;
	}
#endif
	const Iq4Fit fit = searchIq4();
	if (fit.uncertain) reasons |= kNoteUncertain;

	// The first scale of largest magnitude becomes -32 times d; the codes follow d before it becomes a half.
	const float extreme = superExtreme(lane, fit.scale);
	const float d = exactDivide(extreme == 0.0 ? -0.0 : -extreme, 32.0);
	const float inverse = d != 0.0 ? exactDivide(1.0, d) : 0.0;
	precise float multiple = inverse * fit.scale;
	const float level = nearestClamped(multiple, -32, 31);
	precise float scale = d * level;
	const float inverse_scale = scale != 0.0 ? exactDivide(1.0, scale) : 0.0;
	uint code[32];
	[[unroll]] for (int i = 0; i < 32; ++i) {
		precise float quotient = inverse_scale * x[i];
		code[i] = iq4Code(quotient);
	}
	const uint d_bits = halfBits(d);
	if (!halfIsFinite(d_bits)) reasons |= kNoteScale;
	const uint scale_code = uint(int(level) + 32);
	const uint scale_low = superOr((scale_code & 15u) << (4u * lane));
	const uint scale_high = superOr((scale_code >> 4) << (2u * lane));
	reasons = superOr(reasons);
	if (!alive) return;
	const uint at = push.output_unit + block * kBlockWords;
	[[unroll]] for (int k = 0; k < 4; ++k) {
		uint word = 0u;
		[[unroll]] for (int b = 0; b < 4; ++b) word |= (code[4 * k + b] | code[4 * k + b + 16] << 4) << (8 * b);
		target[at + 2u + lane * 4u + k] = word;
	}
	if (lane < 2u) target[at + lane] = lane == 0u ? d_bits | scale_high << 16 : scale_low;
	if (lane == 0u && reasons != 0u) note(block, reasons);
}
