// File types: what a user asks for by name ("Q4_K_M"). What each does to a model's tensors stands in mixture.h.
#pragma once

#include "quant/format.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vkq {

/// Values are those of general.file_type.
enum class FileType : uint32_t {
	F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q8_0 = 7, Q5_0 = 8, Q5_1 = 9, Q2_K = 10, Q3_K_S = 11, Q3_K_M = 12, Q3_K_L = 13,
	Q4_K_S = 14, Q4_K_M = 15, Q5_K_S = 16, Q5_K_M = 17, Q6_K = 18, Q2_K_S = 21, IQ4_NL = 25, IQ4_XS = 30, BF16 = 32, MXFP4_MOE = 38,
};

/// A file type, or one of the `_L` mixtures that people know, which are a file type with two overrides.
struct FileTypeInfo {
	std::string_view name;                       // "Q4_K_M"
	FileType file_type{};
	TensorType base{};                             // the type of most tensors
	std::optional<TensorType> output_type;       // Q4_K_L, Q5_K_L: Q8_0
	std::optional<TensorType> embedding_type;
	std::string_view description;                // one short line for --help
};

/// Smallest first.
std::span<const FileTypeInfo> allFileTypes();

/// Any case; aliases Q3_K, Q4_K, Q5_K (= _M) and MXFP4; or the number of general.file_type. Null for others.
const FileTypeInfo* findFileType(std::string_view name);

/// The name that general.file_type stands for; "unknown" for a number that is none of the above.
std::string_view fileTypeName(FileType type);

}  // namespace vkq
