// FP8 weights (E4M3: sign, 4 exponent bits with bias 7, 3 mantissa bits, no infinity) with their scale tensors.
//
// weight = e4m3(byte) * scale. A scale covers the whole matrix, a row of it, or a block of rows and columns (128 x 128 is
// usual); stacked matrices [n, rows, columns] have scales each.
#pragma once

#include "core/result.h"
#include "ggufio/safetensors.h"

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace vkq {

/// The value of a code; 0x7f and 0xff are NaN. Masks instead of branches or a table: loops over it become vector code.
inline float e4m3ToFloat(uint8_t code) {
	const uint32_t magnitude = code & 0x7f, sign = uint32_t(code & 0x80) << 24;
	const uint32_t normal = (magnitude << 20) + (120u << 23);   // the exponent's bias becomes 127
	const uint32_t subnormal = std::bit_cast<uint32_t>(float(int32_t(magnitude)) * 0x1p-9f);
	const uint32_t is_subnormal = 0u - uint32_t(magnitude < 8), is_nan = 0u - uint32_t(magnitude == 0x7f);
	return std::bit_cast<float>(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal) | (0x7fc00000u & is_nan));
}

/// The scales of one tensor, brought to one form: a grid for every matrix.
struct Fp8Scales {
	std::vector<float> values{1.0f};   // [matrix][block row][block column]
	uint64_t matrix_rows = 1;          // rows of one matrix
	uint64_t block_rows = 1;           // rows that share a scale
	uint64_t block_columns = 1;
	uint64_t grid_rows = 1;            // block rows of one matrix
	uint64_t grid_columns = 1;

	/// The scales of one row of the tensor (matrices counted through), grid_columns of them.
	std::span<const float> ofRow(uint64_t row) const {
		const uint64_t matrix = row / matrix_rows, block = row % matrix_rows / block_rows;
		return std::span(values).subspan((matrix * grid_rows + block) * grid_columns, grid_columns);
	}
};

/// Reads `scale` as the scales of `weight`: by its shape, one of
///   []; [1]; [rows]; [rows, 1]; [ceil(rows / block_rows), ceil(columns / block_columns)]; for stacks each of these behind [n].
/// `block` (rows, columns; from quantization_config.weight_block_size) decides block sizes; {0, 0}: 128 x 128.
Result<Fp8Scales> readFp8Scales(const SafetensorsFile& file, const SafetensorsTensor& scale, const SafetensorsTensor& weight,
                                std::array<uint64_t, 2> block);

/// One row: the single-precision product of each value and its block's scale.
void decodeFp8Row(std::span<const std::byte> bytes, std::span<const float> scales, uint64_t block_columns, float* out);

}  // namespace vkq
