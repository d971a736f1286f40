// What is chosen between when a model is made to fit a budget: for every tensor the types that suit it, what each takes on disk, and how
// much of the tensor each loses. Errors are estimated on sampled rows: evenly spaced, so that every run and every machine samples the same
// (and every expert of a mixture has its share).
//
//   cost of a type = sensitivity of the tensor * relative error of the type
//
// The relative error is the squared error as a share of the tensor's energy, both weighted by importance where there is a matrix. The
// sensitivity says how far the model's answers move for it: measured (eval/sensitivity.h), or priorSensitivity().
#pragma once

#include "core/result.h"
#include "quantize/budget.h"
#include "quantize/plan.h"

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

struct MixOption {
	TensorType type = TensorType::F32;
	uint64_t file_bytes = 0;     // padded as in the file
	double error = 0;            // relative squared error; 0 for the source's own type
};

/// A tensor whose type is open.
struct MixTensor {
	size_t job = 0;              // of the plan
	size_t source = 0;           // of the source's tensors
	std::string name;            // in the output
	const std::vector<float>* importance = nullptr;   // ne0 values, or ne0 x experts; null: none
	double sensitivity = 1;
	std::vector<MixOption> options;   // by rising bytes, then by type id

	const MixOption* find(TensorType type) const;
};

struct SampleOptions {
	uint64_t weights = 1 << 17;  // about how many a tensor; at least kLeastRows rows
	Search search = Search::kReference;
	unsigned threads = 0;        // 0: as many as the machine runs at once
	const std::atomic<bool>* interrupted = nullptr;
	std::function<void(size_t done, size_t tensors, std::string_view name)> progress;
};

/// The tensors that the mixture rules of `plan` gave a type: those that may be quantized and that the user has not pinned. `pinned` says of a job
/// whether it is. Options: every quantized type with a codec whose blocks divide the rows, the source's own type, and F16 where that is F32.
/// Errors are not filled in yet. A quantized source keeps its types unless options.allow_requantize.
std::vector<MixTensor> openTensors(const ModelSource& source, const QuantizePlan& plan, const QuantizeOptions& options, const std::function<bool(size_t job)>& pinned);

/// Fills in the errors of all options. kInvalidData for weights that are not finite.
Result<void> sampleErrors(const ModelSource& source, std::vector<MixTensor>& tensors, const SampleOptions& options);

/// The relative error of one tensor in one type over these rows.
Result<double> sampledError(const ModelSource& source, const MixTensor& tensor, TensorType type, Search search, std::span<const uint64_t> rows);

/// The whole tensor rounded to `type`, in the source's own type again (which rounds once more): what the model would compute with.
Result<std::vector<std::byte>> roundedTensor(const ModelSource& source, const MixTensor& tensor, TensorType type, Search search, unsigned threads);

/// `count` rows of `rows`, evenly spaced, the first and last half a step from the ends.
std::vector<uint64_t> sampledRows(uint64_t rows, uint64_t count);

/// Where nothing was measured: how much a relative error of this tensor matters beside the same error of another, by its kind
/// (docs/fitting.md has the figures' source). `layers` of the model; `tied`: the embedding is the output matrix too.
double priorSensitivity(std::string_view name, uint32_t layers, bool tied);

/// Items for chooseWithin(), in the order of `tensors`. `bytes` of each option: the file's, or what another measure says.
std::vector<BudgetItem> budgetItems(std::span<const MixTensor> tensors, const std::function<uint64_t(const MixTensor&, const MixOption&)>& bytes);

}  // namespace vkq
