// What a quantization will do, decided before a byte is encoded: the type of every tensor, the output's metadata, and its
// exact layout on disk. Sizes printed by --dry-run and the file written later are the same object.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_writer.h"
#include "ggufio/model_source.h"
#include "quant/imatrix.h"
#include "quant/mixture.h"
#include "quant/search.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// Metadata of our own: which search encoded the file, if it was not the reference's, whose files are the reference's to the byte.
inline constexpr std::string_view kSearchKey = "vkquant.search";

struct QuantizeOptions {
	MixtureOptions mixture;                   // target file type, overrides, pure, ...
	bool copy = false;                        // COPY: keep every tensor as it is
	Search search = Search::kReference;       // kBest is told to the output's readers by kSearchKey
	bool allow_requantize = false;
	const Imatrix* imatrix = nullptr;         // already filtered by --include-weights / --exclude-weights
	Metadata override_kv;                     // in the user's order
	std::vector<uint32_t> prune_layers;       // sorted, unique
	uint64_t split_max_bytes = 0;             // 0: one file
};

struct TensorJob {
	size_t source = 0;                        // index into ModelSource::tensors()
	TensorType from = TensorType::F32, to = TensorType::F32;
	const std::vector<float>* importance = nullptr;   // ne0 values, or ne0 x experts; null: encode without
	Search search = Search::kReference;       // kBest only for types that have it
	bool fell_back = false;                   // the row length does not suit the mixture's type
	bool copies() const { return from == to; }
};

/// One output: jobs[i] becomes tensor i of the layout.
struct QuantizePlan {
	FileTypeInfo target;
	Metadata metadata;
	std::vector<TensorJob> jobs;
	GgufLayout layout;
	ImatrixFindings imatrix;                  // what a user should hear of the importance matrix
	uint64_t weights = 0;                     // elements of all tensors
	uint64_t source_tensor_bytes = 0, tensor_bytes = 0;   // without headers and padding

	double bitsPerWeight() const { return weights ? 8.0 * double(tensor_bytes) / double(weights) : 0; }
};

/// kUnsupported for an already quantized source without allow_requantize; kInvalidData for an importance matrix that does not suit
/// (all problems named together); kUsage for contradictions.
Result<QuantizePlan> planQuantization(const ModelSource& source, const QuantizeOptions& options);

/// NAME-TYPE.gguf beside the input; a trailing -f16, -bf16 or -f32 of the input's name is dropped first.
std::filesystem::path defaultOutput(const std::filesystem::path& input, std::string_view type);

/// Of each tensor of the plan's layout, whether one of the overrides names it.
Result<std::vector<bool>> namedByOverrides(const QuantizePlan& plan, const MixtureOptions& mixture);

}  // namespace vkq
