// The command line of vkquant, checked and turned into what quantize/ takes.
#pragma once

#include "core/result.h"
#include "quant/imatrix.h"
#include "quantize/job.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

struct VkquantArguments {
	std::filesystem::path input;
	std::vector<JobLevel> levels;
	JobOptions job;
	std::optional<Imatrix> imatrix;      // what the levels' options point to
	std::string device;                  // --device
	bool dry_run = false, quiet = false, json = false, validation = false, modelfile = false;
};

/// Either arguments, or the exit code to return at once. Files that the options name are read here.
/// `arguments` must stay where it is: levels point into it.
std::optional<int> parseVkquant(int argc, char** argv, VkquantArguments& arguments);

}  // namespace vkq::tools
