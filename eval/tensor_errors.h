// Where a model's weights differ from its original's, tensor by tensor: which of them quantization hurt most.
#pragma once

#include "core/result.h"
#include "ggufio/model_source.h"
#include "quant/distortion.h"
#include "quant/imatrix.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vkq {

struct TensorError {
	std::string name;
	TensorType original_type = TensorType::F32, type = TensorType::F32;
	uint64_t columns = 0;              // a row's length: worst blocks are told by row and column
	Distortion distortion;

	uint64_t worstRow() const { return columns ? distortion.worstBlock().first / columns : 0; }
	uint64_t worstColumn() const { return columns ? distortion.worstBlock().first % columns : 0; }
	/// What tensors are ranked by: the weighted error where there is an importance, else the plain one.
	double harm() const { return distortion.hasImportance() ? distortion.weightedRelativeRmse() : distortion.relativeRmse(); }
};

struct TensorErrors {
	std::vector<TensorError> tensors;  // most harmed first; equal ones by name
	std::vector<std::string> only_in_original, only_in_model, of_other_shape, without_codec;   // not compared
};

/// Told before each tensor; false stops with kInterrupted.
using TensorProgress = std::function<bool(uint64_t weights_done, uint64_t weights, std::string_view name)>;

/// Reads both models in slabs of rows: memory does not grow with them. kInvalidData if the models are not related (another
/// architecture, fewer than half of the weights in both under one name and shape, or weights that have nothing in common), or an entry of the importance matrix (may be
/// null) is neither of a row's length nor of that times the experts.
Result<TensorErrors> compareTensors(const ModelSource& original, const ModelSource& model, const Imatrix* imatrix = nullptr, const TensorProgress& progress = {});

}  // namespace vkq
