#version 460
// y[column][row] = sum over k of W[row][k] * x[column][k] for many columns, on devices with fast shared memory: a workgroup decodes a tile of
// W once (to exactly the floats of quant/codec.h) and multiplies it with a tile of x.
//
//   tile       VKQ_TILED_ROWS x VKQ_TILED_COLUMNS of y, k in steps of a block of 32
//   load       lane i decodes 8 elements of row i % rows, and loads 8 elements of column i / 4
//   multiply   lane i sums 4 rows x 4 columns in registers
//
// VKQ_COOPERATIVE: the tiles are rounded to half precision and multiplied as cooperative matrices of the device's shape with single-precision
// sums; the pieces of y go round the subgroups. Error: 2^-11 of each factor; for block-coded weights only (kernels/product.cpp).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_control_flow_attributes : require
#include "shared/product.h"
#ifdef VKQ_COOPERATIVE
#pragma use_vulkan_memory_model
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_shader_subgroup_basic : require
#endif

layout(local_size_x_id = 0) in;   // VKQ_TILED_LANES
layout(constant_id = 4) const uint kInterleave = 32;
layout(constant_id = 7) const uint kCodes = VKQ_CODES_4;
layout(constant_id = 8) const uint kScales = VKQ_SCALES_F16;
layout(constant_id = 9) const uint kOffset = 0;
layout(constant_id = 10) const uint kTable = VKQ_TABLE_NONE;
#ifdef VKQ_COOPERATIVE
layout(constant_id = 11) const uint kM = 16;            // rows, columns and depth of a cooperative product
layout(constant_id = 12) const uint kN = 16;
layout(constant_id = 13) const uint kK = 16;
layout(constant_id = 14) const uint kSubgroups = 8;     // of a workgroup
#endif

#include "include/product_work.glsl"
#include "include/device_layout.glsl"

const uint kStep = 32;                           // of k: a block
const uint kLanesPerVector = 4;                  // that load a row's, a column's step: 8 elements each
const uint kSide = 4;                            // rows, and columns, that a lane sums

#ifdef VKQ_COOPERATIVE
#define STORED float16_t
#else
#define STORED float
#endif
const uint kRowStride = VKQ_TILED_ROWS + 4, kColumnStride = VKQ_TILED_COLUMNS + 4;   // uneven: no two columns in one bank
shared STORED w_tile[kStep * kRowStride];        // [k][row]
shared STORED x_tile[kStep * kColumnStride];     // [k][column]
#ifdef VKQ_COOPERATIVE
const uint kPiecesDown = VKQ_TILED_ROWS / kM;
const uint kPieces = kPiecesDown * (VKQ_TILED_COLUMNS / kN);
const uint kPiecesMine = (kPieces + kSubgroups - 1u) / kSubgroups;
shared float y_tile[VKQ_TILED_ROWS * VKQ_TILED_COLUMNS];   // [column][row]
#endif

#ifdef VKQ_COOPERATIVE
/// Activations beyond half precision's range are as large as it goes.
STORED stored(float value) { return STORED(clamp(value, -65504.0, 65504.0)); }
#else
STORED stored(float value) { return value; }
#endif

/// Elements [8 part, 8 part + 8) of block `block` of a row, whose words start at the bases, into w_tile.
void decodeEight(uint block, uint part, uint row, uvec4 base) {
	const uint half_index = part / 2u;
	uint high = 0u, scales = 0u;
	if (kHighBits == 1u) high = weights[base.y + block * kInterleave];
	if (kHighBits == 2u) high = weights[base.y + (block * 2u + half_index) * kInterleave];
	if (kScales != VKQ_SCALES_NONE) scales = weights[base.z + scaleWord(block) * kInterleave];
	vec2 super = vec2(0.0);
	if (kHasSuper) super = superScales(weights[base.w + block / 8u * kInterleave]);
	const vec2 scale = scaleAndMinimum(scales, super, block, half_index);
	[[unroll]] for (uint i = 0; i < 4u; ++i) {
		const uint j = (part & 1u) * 4u + i;
		uint word = (block * 2u + half_index) * kHalfWords + pairWord(j), next = 0u;
		if (kFloats) word = min(word, push.row_words - 1u);   // x beyond the end is 0
		if (kCodes == VKQ_CODES_F32) next = weights[base.x + min(word + 1u, push.row_words - 1u) * kInterleave];
		vec2 w = valuePair(weights[base.x + word * kInterleave], next, high, j, half_index);
		if (kScales != VKQ_SCALES_NONE) w *= scale.x;
		if (kHasMinimum) w += scale.y;
		const uint k = half_index * 16u + pairElement(j);
		w_tile[k * kRowStride + row] = stored(w.x);
		w_tile[(k + kPairStep) * kRowStride + row] = stored(w.y);
	}
}

void main() {
	const uint lane = gl_LocalInvocationID.x;
	const Work work = findWork(VKQ_TILED_COLUMNS);
	if (work.first >= work.count) return;
	const uint first_row = matrix.first_row + matrix.group * VKQ_TILED_ROWS;

	const uint load_row = lane % VKQ_TILED_ROWS, load_row_part = lane / VKQ_TILED_ROWS;
	const uint piece_row = pieceRow(work, first_row + load_row);
	const uint safe = piece_row < matrix.piece_rows ? piece_row : 0u;
	const uvec4 base = uvec4(matrix.codes, matrix.high, matrix.scales, matrix.super) +
		uvec4(rowBase(safe, push.row_words), rowBase(safe, push.row_high_words), rowBase(safe, push.row_scale_words), rowBase(safe, push.row_super_words));
	const uint load_column = lane / kLanesPerVector, load_column_part = lane % kLanesPerVector;
	const uint x_base = inputVector(outputVector(work, min(work.first + load_column, work.count - 1u))) * push.x_stride;
	const uint blocks = (push.columns + kStep - 1u) / kStep;

#ifdef VKQ_COOPERATIVE
	coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator> sums[kPiecesMine];
	[[unroll]] for (uint i = 0; i < kPiecesMine; ++i) sums[i] = coopmat<float, gl_ScopeSubgroup, kM, kN, gl_MatrixUseAccumulator>(0.0);
#else
	const uint row = lane % (VKQ_TILED_ROWS / kSide) * kSide, column = lane / (VKQ_TILED_ROWS / kSide) * kSide;
	float sums[kSide * kSide];
	[[unroll]] for (uint i = 0; i < kSide * kSide; ++i) sums[i] = 0.0;
#endif

	for (uint block = 0; block < blocks; ++block) {
		decodeEight(block, load_row_part, load_row, base);
		[[unroll]] for (uint i = 0; i < 8u; ++i) {
			const uint k = load_column_part * 8u + i, at = block * kStep + k;
			x_tile[k * kColumnStride + load_column] = stored(at < push.columns ? uintBitsToFloat(x[x_base + at]) : 0.0);
		}
		barrier();
#ifdef VKQ_COOPERATIVE
		[[unroll]] for (uint i = 0; i < kPiecesMine; ++i) {
			const uint piece = i * kSubgroups + gl_SubgroupID;
			if (piece >= kPieces) break;
			[[unroll]] for (uint k = 0; k < kStep; k += kK) {
				coopmat<float16_t, gl_ScopeSubgroup, kM, kK, gl_MatrixUseA> a;
				coopmat<float16_t, gl_ScopeSubgroup, kK, kN, gl_MatrixUseB> b;
				coopMatLoad(a, w_tile, k * kRowStride + piece % kPiecesDown * kM, kRowStride, gl_CooperativeMatrixLayoutColumnMajor);
				coopMatLoad(b, x_tile, k * kColumnStride + piece / kPiecesDown * kN, kColumnStride, gl_CooperativeMatrixLayoutRowMajor);
				sums[i] = coopMatMulAdd(a, b, sums[i]);
			}
		}
#else
		[[dont_unroll]] for (uint k = 0; k < kStep; ++k) {
			float w[kSide], v[kSide];
			[[unroll]] for (uint i = 0; i < kSide; ++i) w[i] = w_tile[k * kRowStride + row + i];
			[[unroll]] for (uint i = 0; i < kSide; ++i) v[i] = x_tile[k * kColumnStride + column + i];
			[[unroll]] for (uint c = 0; c < kSide; ++c)
				[[unroll]] for (uint r = 0; r < kSide; ++r) sums[c * kSide + r] = fma(w[r], v[c], sums[c * kSide + r]);
		}
#endif
		barrier();
	}

#ifdef VKQ_COOPERATIVE
	[[unroll]] for (uint i = 0; i < kPiecesMine; ++i) {
		const uint piece = i * kSubgroups + gl_SubgroupID;
		if (piece >= kPieces) break;
		coopMatStore(sums[i], y_tile, piece / kPiecesDown * kN * VKQ_TILED_ROWS + piece % kPiecesDown * kM, VKQ_TILED_ROWS, gl_CooperativeMatrixLayoutColumnMajor);
	}
	barrier();
	for (uint i = lane; i < VKQ_TILED_ROWS * VKQ_TILED_COLUMNS; i += gl_WorkGroupSize.x) {
		const uint c = work.first + i / VKQ_TILED_ROWS, y_row = first_row + i % VKQ_TILED_ROWS;
		const float sum = y_tile[i];
#else
	[[unroll]] for (uint i = 0; i < kSide * kSide; ++i) {
		const uint c = work.first + column + i / kSide, y_row = first_row + row + i % kSide;
		const float sum = sums[i];
#endif
		if (c >= work.count || pieceRow(work, y_row) >= matrix.piece_rows) continue;
		const uint at = matrix.y + outputVector(work, c) * matrix.y_stride + y_row;
		y[at] = push.accumulate != 0u ? y[at] + sum : sum;
	}
}
