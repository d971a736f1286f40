// File type -> the type of every tensor: the reference tool's mixtures (Q4_K_M, ...), its fallbacks and overrides.
// Pure functions of names and shapes: the planner asks the same question as the quantizer.
#pragma once

#include "core/result.h"
#include "quant/format.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

enum class FileType : uint32_t {   // general.file_type
	F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q8_0 = 7, Q5_0 = 8, Q5_1 = 9, Q2_K = 10, Q3_K_S = 11, Q3_K_M = 12, Q3_K_L = 13,
	Q4_K_S = 14, Q4_K_M = 15, Q5_K_S = 16, Q5_K_M = 17, Q6_K = 18, Q2_K_S = 21, IQ4_NL = 25, IQ4_XS = 30, BF16 = 32, MXFP4_MOE = 38,
};

/// What a user asks for: a file type, or one of the `_L` mixtures, which are a file type with two overrides.
struct FileTypeInfo {
	std::string_view name;                       // "Q4_K_M"
	FileType file_type;
	TensorType base;                             // the type of most tensors
	std::optional<TensorType> output_type;       // Q4_K_L, Q5_K_L: Q8_0
	std::optional<TensorType> embedding_type;
	std::string_view description;                // one short line for --help
};

std::span<const FileTypeInfo> allFileTypes();
const FileTypeInfo* findFileType(std::string_view name);   // any case; aliases Q3_K, Q4_K, Q5_K = _M
std::string_view fileTypeName(FileType type);

/// What the rules look at of a model.
struct MixtureModel {
	std::string arch;             // general.architecture
	uint32_t layers = 0;          // block_count
	uint32_t heads = 0;           // of layer 0
	uint32_t kv_heads = 0;
	uint32_t experts = 0;         // 0: dense
};

struct MixtureTensor {
	std::string_view name;
	uint32_t dimensions;
	std::array<uint64_t, 4> ne;
	TensorType type;              // of the source
	bool has_importance = false;
};

struct MixtureOptions {
	FileTypeInfo target;
	bool pure = false;
	bool leave_output_tensor = false;
	bool have_imatrix = false;    // the rules of some types ask
	std::optional<TensorType> output_type;
	std::optional<TensorType> embedding_type;
	/// First match wins; searched in the lower-cased... tensor name, ECMAScript regex as the reference's.
	struct Override { std::string pattern; TensorType type; };
	std::vector<Override> overrides;
};

/// One decision per tensor, same order. Tensors must be in processing order (ggufio/model_source.h): counters depend on it.
struct MixtureChoice {
	TensorType type;
	bool fell_back = false;       // the row length did not divide: the type is the fallback's
};
Result<std::vector<MixtureChoice>> chooseTypes(const MixtureModel& model, std::span<const MixtureTensor> tensors, const MixtureOptions& options);

}  // namespace vkq
