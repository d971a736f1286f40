#include "ggufio/fp8.h"

#include "core/half.h"
#include "core/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace vkq {

namespace {

constexpr uint64_t kUsualBlock = 128;

Result<std::vector<float>> readFloats(const SafetensorsFile& file, const SafetensorsTensor& tensor) {
	std::vector<std::byte> bytes(tensor.bytes);
	VKQ_CHECK(file.read(tensor, 0, bytes.size(), bytes.data()));
	std::vector<float> values(tensor.elements());
	if (tensor.type == SafetensorsType::F32) {
		if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
		return values;
	}
	if (tensor.type != SafetensorsType::BF16 && tensor.type != SafetensorsType::F16) {
		return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {}: scales of type {} are not supported", file.name(), quote(tensor.name),
		                                                 safetensorsTypeName(tensor.type)));
	}
	for (size_t i = 0; i < values.size(); ++i) {
		uint16_t half;
		std::memcpy(&half, bytes.data() + 2 * i, 2);
		values[i] = tensor.type == SafetensorsType::BF16 ? bfloatToFloat(half) : halfToFloat(half);
	}
	return values;
}

}  // namespace

Result<Fp8Scales> readFp8Scales(const SafetensorsFile& file, const SafetensorsTensor& scale, const SafetensorsTensor& weight,
                                std::array<uint64_t, 2> block) {
	const std::vector<uint64_t>& shape = weight.shape;
	assert(shape.size() >= 2);
	Fp8Scales scales;
	scales.matrix_rows = shape[shape.size() - 2];
	const uint64_t rows = scales.matrix_rows, columns = shape.back(), matrices = rows ? weight.rows() / rows : 0;

	// What is left of the scale's shape behind the stack's dimension says what a scale covers.
	std::vector<uint64_t> rest = scale.shape;
	if (shape.size() == 3 && !rest.empty() && rest.front() == matrices) rest.erase(rest.begin());
	else if (matrices > 1) rest = {0, 0, 0};   // one grid for many matrices: not a form that exists

	const std::array<uint64_t, 2> size{block[0] ? block[0] : kUsualBlock, block[1] ? block[1] : kUsualBlock};
	const bool one = rest.empty() || std::all_of(rest.begin(), rest.end(), [](uint64_t n) { return n == 1; });
	if (one) {
		scales.block_rows = std::max<uint64_t>(rows, 1);
		scales.block_columns = std::max<uint64_t>(columns, 1);
	} else if (rest.front() == rows && (rest.size() == 1 || (rest.size() == 2 && rest[1] == 1))) {
		scales.grid_rows = rows;
		scales.block_columns = std::max<uint64_t>(columns, 1);
	} else if (rest.size() == 2 && rest[0] == divideUp(rows, size[0]) && rest[1] == divideUp(columns, size[1])) {
		scales.block_rows = size[0];
		scales.block_columns = size[1];
		scales.grid_rows = rest[0];
		scales.grid_columns = rest[1];
	} else {
		return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {}: scales of shape [{}] do not fit weights of shape [{}]", file.name(),
		                                               quote(scale.name), fmt::join(scale.shape, ", "), fmt::join(shape, ", ")));
	}
	VKQ_TRY(scales.values, readFloats(file, scale));
	assert(scales.values.size() == matrices * scales.grid_rows * scales.grid_columns || weight.bytes == 0);
	return scales;
}

void decodeFp8Row(std::span<const std::byte> bytes, std::span<const float> scales, uint64_t block_columns, float* out) {
	for (size_t begin = 0, block = 0; begin < bytes.size(); begin += block_columns, ++block) {
		const size_t end = std::min<uint64_t>(bytes.size(), begin + block_columns);
		const float scale = scales[block];
		for (size_t i = begin; i < end; ++i) out[i] = e4m3ToFloat(uint8_t(bytes[i])) * scale;
	}
}

}  // namespace vkq
