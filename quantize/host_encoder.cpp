#include "quantize/host_encoder.h"

#include "core/text.h"
#include "quant/codec.h"
#include "quantize/parallel.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <vector>

namespace vkq {

namespace {

/// Rows a thread takes at once: enough work to hide the hand-over.
constexpr uint64_t kWeightsAtOnce = 1 << 16;

template <class Body>
void forRows(const RowBlock& source, unsigned threads, Body body) {
	const uint64_t rows_at_once = std::max<uint64_t>(1, kWeightsAtOnce / std::max<uint64_t>(1, source.row_elements));
	parallelFor(threads, (source.rows + rows_at_once - 1) / rows_at_once, [&](size_t chunk) {
		const uint64_t first = chunk * rows_at_once;
		body(first, std::min(rows_at_once, source.rows - first));
	});
}

/// No value has an all-ones exponent. `Word` holds one value, `kExponent` are its exponent bits.
template <class Word, Word kExponent>
bool finiteWords(const std::byte* bytes, uint64_t count) {
	Word worst = 0;
	for (uint64_t i = 0; i < count; ++i) {
		Word word;
		std::memcpy(&word, bytes + i * sizeof(Word), sizeof(Word));
		worst |= Word((word & kExponent) == kExponent);
	}
	return worst == 0;
}

bool finiteElements(TensorType type, const std::byte* bytes, uint64_t elements) {
	switch (type) {
		case TensorType::F32: return finiteWords<uint32_t, 0x7f800000>(bytes, elements);
		case TensorType::F16: return finiteWords<uint16_t, 0x7c00>(bytes, elements);
		case TensorType::BF16: return finiteWords<uint16_t, 0x7f80>(bytes, elements);
		default: return !typeInfo(type).has_codec || scalesAreFinite(type, bytes, elements);
	}
}

}  // namespace

bool rowsAreFinite(const RowBlock& source, unsigned threads) {
	const uint64_t row_bytes = *typeBytes(source.type, source.row_elements);
	std::atomic<bool> finite{true};
	forRows(source, threads, [&](uint64_t first, uint64_t rows) {
		if (!finiteElements(source.type, source.bytes + first * row_bytes, rows * source.row_elements)) finite = false;
	});
	return finite;
}

Error notFiniteError(const ModelSource& source, const TensorInfo& info) {
	return fail(ErrorCode::kInvalidData, fmt::format("{}: tensor {} holds weights that are NaN or infinite", source.name(), quote(info.name)),
	            "the source is damaged; get it again, or convert it again");
}

bool encodeRowsOnHost(const RowBlock& source, TensorType to, const float* importance, Search search, unsigned threads, std::byte* out) {
	const uint64_t in_bytes = *typeBytes(source.type, source.row_elements), out_bytes = *typeBytes(to, source.row_elements);
	std::atomic<bool> finite{true};
	forRows(source, threads, [&](uint64_t first, uint64_t rows) {
		if (!finiteElements(source.type, source.bytes + first * in_bytes, rows * source.row_elements)) {
			finite = false;
			return;
		}
		std::vector<float> row(source.row_elements);
		for (uint64_t r = first; r < first + rows; ++r) {
			decodeRow(source.type, source.bytes + r * in_bytes, source.row_elements, row.data());
			encodeRow(to, row.data(), source.row_elements, importance, out + r * out_bytes, search);
		}
	});
	return finite;
}

void decodeRowsOnHost(const RowBlock& source, unsigned threads, float* out) {
	const uint64_t row_bytes = *typeBytes(source.type, source.row_elements);
	forRows(source, threads, [&](uint64_t first, uint64_t rows) {
		decodeRow(source.type, source.bytes + first * row_bytes, rows * source.row_elements, out + first * source.row_elements);
	});
}

void compareRows(const RowBlock& source, const float* decoded, const float* importance, Distortion& distortion) {
	const uint64_t row_bytes = *typeBytes(source.type, source.row_elements);
	std::vector<float> row(source.row_elements);
	for (uint64_t r = 0; r < source.rows; ++r) {
		decodeRow(source.type, source.bytes + r * row_bytes, source.row_elements, row.data());
		distortion.add(row.data(), decoded + r * source.row_elements, source.row_elements, importance);
	}
}

}  // namespace vkq
