// vkplan's subject: a model file, a Hugging Face configuration, or only a size.
#pragma once

#include "arch/model.h"
#include "core/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

struct ModelArguments {
	std::string path;       // a GGUF, a Hugging Face folder or its config.json; empty: by size
	std::string params;     // "7", "8x7", "30A3"
	std::string shape;      // "layers=..,embd=..", on top of params or alone
};

struct PlannedModel {
	std::string name;                        // for the heading
	Hyperparameters hyperparameters;
	std::vector<TensorInfo> tensors;         // processing order
	std::optional<std::string> quantized_as; // the file type of a file that is quantized already
	uint64_t parameters = 0;
};

Result<PlannedModel> findModel(const ModelArguments& arguments);

}  // namespace vkq::tools
