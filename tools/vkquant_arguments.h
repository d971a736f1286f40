// The command line of vkquant, checked and turned into what quantize/ takes.
#pragma once

#include "core/result.h"
#include "quant/imatrix.h"
#include "quantize/job.h"
#include "tools/vkquant_mix.h"

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
	std::optional<MixRequest> mix;       // types are chosen: of the one level, whose target says nothing yet
	bool recipe_alone = false;           // the one level's types are all its overrides': the file type is the nearest
	std::filesystem::path recipe_out;    // --recipe-out
	std::string device;                  // --device
	bool dry_run = false, quiet = false, json = false, validation = false, modelfile = false;
};

/// Either arguments, or the exit code to return at once. Files that the options name are read here.
/// `arguments` must stay where it is: levels point into it.
std::optional<int> parseVkquant(int argc, char** argv, VkquantArguments& arguments);

}  // namespace vkq::tools
