// F32, F16, BF16: elements of their own, 4, 2 and 2 bytes. Rounded to nearest even; importance is ignored.
#include "quant/block_codec.h"

namespace vkq {

namespace {

VKQ_WIDE_SIMD_CLONES void encodeF16(const float* x, uint64_t row_elements, const float*, std::byte* out) {
	for (uint64_t i = 0; i < row_elements; ++i) {
		const uint16_t half = floatToHalf(x[i]);
		std::memcpy(out + 2 * i, &half, 2);
	}
}

VKQ_WIDE_SIMD_CLONES void decodeF16(const std::byte* in, uint64_t elements, float* out) {
	for (uint64_t i = 0; i < elements; ++i) {
		uint16_t half;
		std::memcpy(&half, in + 2 * i, 2);
		out[i] = halfToFloat(half);
	}
}

VKQ_WIDE_SIMD_CLONES void encodeBf16(const float* x, uint64_t row_elements, const float*, std::byte* out) {
	for (uint64_t i = 0; i < row_elements; ++i) {
		const uint16_t bfloat = floatToBfloat(x[i]);
		std::memcpy(out + 2 * i, &bfloat, 2);
	}
}

VKQ_WIDE_SIMD_CLONES void decodeBf16(const std::byte* in, uint64_t elements, float* out) {
	for (uint64_t i = 0; i < elements; ++i) {
		uint16_t bfloat;
		std::memcpy(&bfloat, in + 2 * i, 2);
		out[i] = bfloatToFloat(bfloat);
	}
}

void encodeF32(const float* x, uint64_t row_elements, const float*, std::byte* out) { std::memcpy(out, x, row_elements * 4); }
void decodeF32(const std::byte* in, uint64_t elements, float* out) { std::memcpy(out, in, elements * 4); }

/// All elements finite: their exponent bits are not all ones.
template <class Word, Word kExponent>
VKQ_WIDE_SIMD_CLONES bool elementsFinite(const std::byte* in, uint64_t elements) {
	Word any = 0;
	for (uint64_t i = 0; i < elements; ++i) {
		Word word;
		std::memcpy(&word, in + sizeof(Word) * i, sizeof(Word));
		any |= Word((word & kExponent) == kExponent);
	}
	return any == 0;
}

}  // namespace

const Codec kF32Codec{TensorType::F32, false, encodeF32, decodeF32, elementsFinite<uint32_t, 0x7f800000>};
const Codec kF16Codec{TensorType::F16, false, encodeF16, decodeF16, elementsFinite<uint16_t, 0x7c00>};
const Codec kBf16Codec{TensorType::BF16, false, encodeBf16, decodeBf16, elementsFinite<uint16_t, 0x7f80>};

}  // namespace vkq
