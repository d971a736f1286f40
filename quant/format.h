// Every tensor type that GGUF knows: id, name, block size. One table serves readers, writers, planner and kernels.
//
// A tensor row of n elements is n / block_elements blocks of block_bytes each, packed without padding. Types whose
// codec this project has (quant/codec.h) are marked; the others can be listed, sized and copied.
#pragma once

#include "core/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vkq {

/// Values are GGUF's ids.
enum class TensorType : uint32_t {
	F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q8_1 = 9,
	Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, Q8_K = 15,
	IQ2_XXS = 16, IQ2_XS = 17, IQ3_XXS = 18, IQ1_S = 19, IQ4_NL = 20, IQ3_S = 21, IQ2_S = 22, IQ4_XS = 23,
	I8 = 24, I16 = 25, I32 = 26, I64 = 27, F64 = 28, IQ1_M = 29, BF16 = 30,
	TQ1_0 = 34, TQ2_0 = 35, MXFP4 = 39, NVFP4 = 40, Q1_0 = 41, Q2_0 = 42,
};

struct TypeInfo {
	TensorType type;
	std::string_view name;      // upper case as in GGUF tools: "Q4_K"
	uint32_t block_elements;    // 1 for unquantized types
	uint32_t block_bytes;
	bool quantized;             // block-coded: needs a decoder to become numbers
	bool has_codec;             // quant/codec.h encodes and decodes it

	double bitsPerWeight() const { return 8.0 * block_bytes / block_elements; }
};

/// All known types in id order.
std::span<const TypeInfo> allTypes();

/// The row of the table. `type` must be one of the enumerators.
const TypeInfo& typeInfo(TensorType type);

/// From a file's id; nothing for unknown or retired ids (4, 5, 31-33, 36-38).
std::optional<TensorType> typeFromId(uint32_t id);

/// From a user's text, any case: "q4_k".
std::optional<TensorType> typeFromName(std::string_view name);

inline std::string_view typeName(TensorType type) { return typeInfo(type).name; }

/// Bytes of `elements` consecutive elements. Nothing when they are not whole blocks, or the size does not fit 63 bits.
std::optional<uint64_t> typeBytes(TensorType type, uint64_t elements);

}  // namespace vkq
