#version 460
// Q6_K: 256 weights in 210 bytes (drawn in quant/q6_k.cpp), x ~ d * s_j * (q - 32), sixteen sub-blocks j of 16.
// Must equal encodeRow() of quant/codec.h.
//
// One invocation a pair of sub-blocks: it searches their scales; the eight then agree on d, and each rounds its own codes anew.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require
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
#define SYMMETRIC_GROUPS 2
#define SYMMETRIC_COUNT 16
#include "include/encode/search_symmetric.glsl"

#ifdef IMPORTANCE
layout(binding = 3, scalar) readonly buffer Importance { float importance[]; };
#endif

#include "include/encode/store_q6_k.glsl"

void main() {
	const uint block = superBlockIndex();
	const uint lane = superLane();
	const bool alive = block < push.units;
	const uint element = (alive ? block : push.units - 1u) * 256u + lane * 32u;

	LOAD_WEIGHTS(x, 32, element)
	beginMagnitudes();
	[[unroll]] for (int i = 0; i < 32; ++i) {
		seeMagnitude(x[i]);
#ifdef IMPORTANCE
		w[i] = importance[push.importance_word + element % push.row_elements + i];
#else
		precise float square = x[i] * x[i];
		w[i] = square;
#endif
	}
	SymmetricFit fit[2];
	searchSymmetric(32, 2, fit);
	const bool uncertain = fit[0].uncertain || fit[1].uncertain;
	uint reasons = magnitudeReasons(1u, POWER_OF_TWO(-42)) | (uncertain ? kNoteUncertain : 0u);

	// The first scale of largest magnitude becomes -128 times d.
	const float extreme = superExtreme(lane, magnitudeOf(fit[1].scale) > magnitudeOf(fit[0].scale) ? fit[1].scale : fit[0].scale);
	const bool empty = !(magnitudeOf(extreme) >= kZeroGroup);
	const float inverse = exactDivide(-128.0, empty ? 1.0 : extreme);
	const uint d = empty ? 0u : halfBits(exactDivide(1.0, inverse));
	if (!halfIsFinite(d)) reasons |= kNoteScale;

	uint word[8];   // six-bit codes, one a byte
	uint scale_codes = 0u;
	uint quotients = 0u;
	[[unroll]] for (int g = 0; g < 2; ++g) {
		precise float multiple = inverse * fit[g].scale;
		const int scale_code = empty ? 0 : int(min(nearest(multiple), 127.0));
		scale_codes |= (uint(scale_code) & 0xffu) << (8 * g);
		precise float scale = halfValue(d) * float(scale_code);
		const bool keeps = scale == 0.0;   // then the search's codes stay
		[[unroll]] for (int k = 0; k < 4; ++k) {
			uint packed = 0u;
			[[unroll]] for (int b = 0; b < 4; ++b) {
				const float value = x[16 * g + 4 * k + b];
				const float quotient = exactDivide(value, keeps ? 1.0 : scale);
				quotients = max(quotients, floatBitsToUint(quotient) & 0x7fffffffu);
				const uint again = uint(int(nearestClamped(quotient, -32, 31)) + 32);
				packed |= (keeps ? symmetricCode(32, fit[g], value) : again) << (8 * b);
			}
			word[4 * g + k] = empty ? 0u : packed;
		}
	}
	if (quotients > floatBitsToUint(kNearestRange)) reasons |= kNoteUncertain;

	storeSuperBlock(alive, push.output_unit + block * kBlockHalves, lane, d, scale_codes, word);
	reasons = superOr(reasons);
	if (alive && lane == 0u && reasons != 0u) note(block, reasons);
}
