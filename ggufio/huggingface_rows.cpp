// Rows of the GGUF's tensors, made when they are asked for.
#include "core/half.h"
#include "ggufio/huggingface_tensors.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

namespace vkq {

namespace {

/// The type that stored rows have in GGUF without conversion; nothing for FP8.
std::optional<TensorType> sameType(SafetensorsType type) {
	switch (type) {
	case SafetensorsType::F32: return TensorType::F32;
	case SafetensorsType::F16: return TensorType::F16;
	case SafetensorsType::BF16: return TensorType::BF16;
	default: return std::nullopt;
	}
}

bool needsConversion(const TensorRecipe& recipe, const SafetensorsTensor& stored) {
	return recipe.added != 0.0f || sameType(stored.type) != recipe.info.type;
}

template <class T>
T loadAs(const std::byte* bytes) {
	T value;
	std::memcpy(&value, bytes, sizeof(T));
	return value;
}

/// One stored row as numbers.
void toFloats(const RowSegment& segment, uint64_t stored_row, std::span<const std::byte> row, float* out) {
	const SafetensorsTensor& tensor = *segment.stored.tensor;
	const size_t elements = tensor.rowElements();
	switch (tensor.type) {
	case SafetensorsType::F32: std::memcpy(out, row.data(), elements * sizeof(float)); break;
	case SafetensorsType::F16:
		for (size_t i = 0; i < elements; ++i) out[i] = halfToFloat(loadAs<uint16_t>(row.data() + 2 * i));
		break;
	case SafetensorsType::BF16:
		for (size_t i = 0; i < elements; ++i) out[i] = bfloatToFloat(loadAs<uint16_t>(row.data() + 2 * i));
		break;
	default:
		assert(tensor.type == SafetensorsType::F8_E4M3);
		decodeFp8Row(row, segment.scales->ofRow(stored_row), segment.scales->block_columns, out);
	}
}

void fromFloats(std::span<const float> values, TensorType type, std::byte* out) {
	if (type == TensorType::F32) {
		std::memcpy(out, values.data(), values.size_bytes());
		return;
	}
	assert(type == TensorType::BF16);
	// By chunks that stay in the cache: the loop that rounds becomes vector code, `out` may be unaligned.
	std::array<uint16_t, 256> chunk;
	for (size_t begin = 0; begin < values.size(); begin += chunk.size()) {
		const size_t count = std::min(chunk.size(), values.size() - begin);
		for (size_t i = 0; i < count; ++i) chunk[i] = floatToBfloat(values[begin + i]);
		std::memcpy(out + 2 * begin, chunk.data(), 2 * count);
	}
}

/// Where row `row` of an interleaved tensor is stored.
uint64_t storedRow(uint64_t row, uint64_t head) {
	if (head == 0) return row;
	const uint64_t first = row - row % head, within = row % head;
	return first + within % 2 * (head / 2) + within / 2;
}

/// A vector is one row, whose elements are interleaved where a matrix's rows would be.
Result<void> readVector(const HuggingFaceFiles& files, const TensorRecipe& recipe, std::byte* out) {
	const RowSegment& segment = recipe.segments.front();
	const SafetensorsTensor& tensor = *segment.stored.tensor;
	std::vector<std::byte> stored(tensor.bytes);
	VKQ_CHECK(files.shards[segment.stored.shard].read(tensor, 0, stored.size(), stored.data()));
	std::vector<float> values(recipe.info.ne[0]), ordered(values.size());
	toFloats(segment, 0, stored, values.data());
	for (size_t i = 0; i < values.size(); ++i) ordered[i] = values[storedRow(i, recipe.interleaved_head)] + recipe.added;
	fromFloats(ordered, recipe.info.type, out);
	return {};
}

/// `rows` rows of one segment from its row `first` on; `row` counts them in the tensor.
Result<void> readSegment(const HuggingFaceFiles& files, const TensorRecipe& recipe, const RowSegment& segment, uint64_t row, uint64_t first,
                         uint64_t rows, std::byte* out) {
	const SafetensorsFile& file = files.shards[segment.stored.shard];
	const SafetensorsTensor& tensor = *segment.stored.tensor;
	const uint64_t stored_bytes = tensor.rowBytes(), row_bytes = recipe.info.rowBytes();
	const bool convert = needsConversion(recipe, tensor);
	if (recipe.interleaved_head == 0 && !convert) return file.read(tensor, (segment.first_row + first) * stored_bytes, rows * stored_bytes, out);

	std::vector<std::byte> stored(convert ? stored_bytes : 0);
	std::vector<float> values(convert ? tensor.rowElements() : 0);
	for (uint64_t i = 0; i < rows; ++i, out += row_bytes) {
		// Interleaved tensors have one segment, whose rows are the tensor's.
		const uint64_t source = segment.first_row + (recipe.interleaved_head ? storedRow(row + i, recipe.interleaved_head) : first + i);
		VKQ_CHECK(file.read(tensor, source * stored_bytes, stored_bytes, convert ? stored.data() : out));
		if (!convert) continue;
		toFloats(segment, source, stored, values.data());
		fromFloats(values, recipe.info.type, out);
	}
	return {};
}

}  // namespace

Bytes mappedRows(const HuggingFaceFiles& files, const TensorRecipe& recipe) {
	if (recipe.segments.size() != 1 || recipe.interleaved_head != 0) return {};
	const RowSegment& segment = recipe.segments.front();
	const SafetensorsTensor& tensor = *segment.stored.tensor;
	if (needsConversion(recipe, tensor)) return {};
	return files.shards[segment.stored.shard].data(tensor).subspan(segment.first_row * tensor.rowBytes(), recipe.info.bytes);
}

Result<void> readRecipeRows(const HuggingFaceFiles& files, const TensorRecipe& recipe, uint64_t first_row, uint64_t rows, std::byte* out) {
	assert(first_row <= recipe.info.rows() && rows <= recipe.info.rows() - first_row);
	if (rows == 0) return {};
	if (recipe.segments.empty()) {
		std::memcpy(out, recipe.values.data(), recipe.info.bytes);
		return {};
	}
	if (recipe.info.dimensions == 1) return readVector(files, recipe, out);

	// Segments of a stack are equally long.
	const uint64_t segment_rows = recipe.segments.front().rows;
	for (uint64_t row = first_row, end = first_row + rows; row < end;) {
		const RowSegment& segment = recipe.segments[row / segment_rows];
		const uint64_t first = row % segment_rows, count = std::min(end - row, segment.rows - first);
		VKQ_CHECK(readSegment(files, recipe, segment, row, first, count, out));
		row += count;
		out += count * recipe.info.rowBytes();
	}
	return {};
}

}  // namespace vkq
