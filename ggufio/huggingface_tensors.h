// From the tensors that a Hugging Face model stores to those that its GGUF has: names, shapes, types, and where each row
// comes from. Nothing is converted here or kept: rows are computed when they are asked for.
//
// Storage types stay (F32, F16, BF16), FP8 becomes BF16, as `convert_hf_to_gguf --outtype auto` has it; vectors and
// routers become F32.
//
// Thread rules: const use from many threads.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/fp8.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/huggingface_config.h"
#include "ggufio/huggingface_files.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vkq {

/// Consecutive rows of a stored tensor. Matrices of a stack are counted through.
struct RowSegment {
	StoredTensor stored;
	uint64_t first_row = 0;
	uint64_t rows = 0;
	std::shared_ptr<const Fp8Scales> scales;   // of the whole stored tensor; null unless it is FP8
};

/// How one tensor of the GGUF is made.
struct TensorRecipe {
	TensorInfo info;
	std::vector<RowSegment> segments;   // its rows, in order; a vector is one row
	/// Elements of a head whose halves are interleaved, because GGUF's llama rotates pairs (2i, 2i + 1) where Hugging
	/// Face rotates (i, i + head/2): row h*head + 2i + p is stored as h*head + p*head/2 + i. 0: as stored.
	uint64_t interleaved_head = 0;
	float added = 0.0f;                 // to each element: gemma stores its norms less one
	std::vector<float> values;          // computed, not stored: then there are no segments
};

/// Recipes in processing order. Every tensor of the model must be there in the shape that the config gives, and nothing
/// that has no place; an error names the tensor as it is stored.
Result<std::vector<TensorRecipe>> planHuggingFaceTensors(const HuggingFaceFiles& files, const HuggingFaceConfig& config,
                                                         std::string_view model, std::vector<std::string>& warnings);

/// The bytes where they lie, when they are stored as the GGUF wants them; empty otherwise.
Bytes mappedRows(const HuggingFaceFiles& files, const TensorRecipe& recipe);

/// Rows [first_row, first_row + rows) as the GGUF has them; `out` holds rows * info.rowBytes() bytes.
Result<void> readRecipeRows(const HuggingFaceFiles& files, const TensorRecipe& recipe, uint64_t first_row, uint64_t rows, std::byte* out);

}  // namespace vkq
