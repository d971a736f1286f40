// File type -> the type of every tensor: the reference tool's mixtures (Q4_K_M, ...), its fallbacks and overrides.
// Pure functions of names and shapes: the planner asks the same question as the quantizer.
//
// For each tensor, the first that applies:
//   1. it is one that is never quantized (canQuantize): keeps its type
//   2. the output or embedding type that the user or the file type (_L) names
//   3. F32, F16, BF16: that type
//   4. the first override whose pattern is found in its name
//   5. --pure: the file type's base
//   6. the mixture's rules
// and then, where the row length is no whole number of blocks, the fallback type.
#pragma once

#include "core/result.h"
#include "quant/file_type.h"
#include "quant/format.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

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

	/// An ECMAScript regular expression, lower-cased before use, searched for in the tensor's name. The first match wins.
	struct Override { std::string pattern; TensorType type; };
	std::vector<Override> overrides;
};

/// One decision per tensor, same order.
struct MixtureChoice {
	TensorType type;
	bool fell_back = false;       // the row length did not divide: the type is the fallback's
};

/// Tensors must be in processing order (ggufio/model_source.h): the rules count layers as they come.
/// Errors: a pattern that is no regular expression, an expert tensor of a layer that the model does not have.
Result<std::vector<MixtureChoice>> chooseTypes(const MixtureModel& model, std::span<const MixtureTensor> tensors, const MixtureOptions& options);

/// Whether the rules may change the tensor's type at all: a matrix whose name ends in "weight", and none of the norms, routers,
/// convolutions, position embeddings and small projections that are left as they are.
bool canQuantize(const MixtureTensor& tensor);

/// Whether the result would be useless without an importance matrix: 1- and 2-bit types of the IQ family, and Q2_K in Q2_K_S.
bool needsImportance(FileType file_type, TensorType type, std::string_view tensor_name);

/// kUsage, with names, if some tensor needs an importance that it does not have.
Result<void> checkImportanceNeeds(FileType file_type, std::span<const MixtureTensor> tensors, std::span<const MixtureChoice> choices);

}  // namespace vkq
