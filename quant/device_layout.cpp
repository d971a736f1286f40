#include "quant/device_layout.h"

#include "core/bytes.h"

#include <cassert>

namespace vkq {

ElementsPerWord elementsPerWord(TensorType type) {
	switch (type) {
		//                       codes high scales super
		case TensorType::F32:    return {1, 0, 0, 0};
		case TensorType::F16:
		case TensorType::BF16:   return {2, 0, 0, 0};
		case TensorType::Q4_0:
		case TensorType::IQ4_NL: return {8, 0, 64, 0};      // scale: F16
		case TensorType::Q4_1:   return {8, 0, 32, 0};      // scale and minimum: F16 each
		case TensorType::Q5_0:   return {8, 32, 64, 0};
		case TensorType::Q5_1:   return {8, 32, 32, 0};
		case TensorType::Q8_0:   return {4, 0, 64, 0};
		case TensorType::MXFP4:  return {8, 0, 128, 0};     // scale: exponent byte
		case TensorType::Q2_K:   return {16, 0, 64, 256};   // scale and minimum of 16: 4 bits each; super: two F16
		case TensorType::Q3_K:   return {16, 32, 64, 256};  // scale of 16: signed byte; super: F32
		case TensorType::Q4_K:   return {8, 0, 64, 256};    // scale and minimum of 32: a byte each; super: two F16
		case TensorType::Q5_K:   return {8, 32, 64, 256};
		case TensorType::Q6_K:   return {8, 16, 64, 256};
		case TensorType::IQ4_XS: return {8, 0, 128, 256};   // scale of 32: signed byte; super: F32
		default: assert(!"a type that has no codec has no device layout"); return {};
	}
}

std::optional<DeviceLayout> deviceLayout(TensorType type, uint64_t columns, uint64_t rows, uint32_t interleave) {
	assert(interleave > 0);
	if (columns == 0 || rows == 0 || columns % typeInfo(type).block_elements) return std::nullopt;

	DeviceLayout layout;
	const auto padded = checkedMul(divideUp(rows, interleave), interleave);
	if (!padded) return std::nullopt;
	layout.padded_rows = *padded;

	const ElementsPerWord per_word = elementsPerWord(type);
	for (size_t plane = 0; plane < kPlanes; ++plane) {
		layout.row_words[plane] = per_word[plane] ? divideUp(columns, per_word[plane]) : 0;
		const auto words = checkedMul(*padded, layout.row_words[plane]);
		const auto bytes = words ? checkedMul(*words, 4) : std::nullopt;
		if (!bytes || *bytes > uint64_t(INT64_MAX) - kPlaneAlignment - layout.bytes) return std::nullopt;
		layout.plane_offset[plane] = layout.bytes;
		layout.plane_bytes[plane] = *bytes;
		layout.bytes = alignUp(layout.bytes + *bytes, kPlaneAlignment);
	}
	return layout;
}

uint64_t quantizedActivationBytes(uint64_t columns, uint64_t vectors) {
	// A block of 32: 16 words of code pairs, the scale, the sums of both halves.
	return columns / 32 * (16 + 2) * 4 * vectors;
}

}  // namespace vkq
