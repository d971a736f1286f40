// vkquant INPUT [OUTPUT] TYPE...: quantizes a model on a Vulkan device.

#include "core/text.h"
#include "core/units.h"
#include "ggufio/model_source.h"
#include "ggufio/modelfile.h"
#include "quantize/job.h"
#include "quantize/recipe.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/vkquant_arguments.h"
#include "tools/vkquant_mix.h"
#include "tools/vkquant_summary.h"
#include "vk/device.h"
#include "vk/software_vectors.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

using namespace vkq;
using namespace vkq::tools;

namespace {

Result<void> writeText(const std::filesystem::path& path, const std::string& text) {
	std::ofstream out(path, std::ios::binary);
	out << text;
	out.close();
	if (out.good()) return {};
	std::error_code ignored;
	std::filesystem::remove(path, ignored);
	return fail(ErrorCode::kIo, fmt::format("{}: cannot be written", path.string()));
}

/// out-Q4_K_M.gguf -> out-Q4_K_M.Modelfile
std::filesystem::path modelfilePath(const std::filesystem::path& gguf) {
	std::filesystem::path path = gguf;
	return path.replace_extension(".Modelfile");
}

Result<void> checkModelfiles(const VkquantArguments& arguments) {
	if (!arguments.modelfile || arguments.job.force) return {};
	for (const JobLevel& level : arguments.levels)
		if (std::error_code ignored; std::filesystem::exists(modelfilePath(level.output), ignored))
			return fail(ErrorCode::kExists, fmt::format("{}: exists already", modelfilePath(level.output).string()), "--force replaces it");
	return {};
}

/// A small text, made after the model is safe: ollama create NAME -f FILE.
Result<void> writeModelfile(const Metadata& metadata, const std::filesystem::path& gguf) {
	VKQ_TRY(const std::string text, modelfileText(modelfileFor(metadata, gguf.filename().string())));
	return writeText(modelfilePath(gguf), text);
}

/// A recipe without TYPE: it must name every tensor that may be quantized, and the file type is what comes nearest.
Result<void> nameRecipe(const ModelSource& source, JobLevel& level) {
	QuantizeOptions& options = level.options;
	options.mixture.target = *findFileType("Q8_0");
	VKQ_TRY(const QuantizePlan plan, planQuantization(source, options));
	VKQ_TRY(const std::vector<bool> named, namedByOverrides(plan, options.mixture));
	for (size_t j = 0; j < plan.jobs.size(); ++j) {
		const TensorInfo& tensor = plan.layout.tensors[j];
		if (!canQuantize({tensor.name, tensor.dimensions, tensor.ne, plan.jobs[j].from})) continue;
		if (!named[j])
			return fail(ErrorCode::kUsage, fmt::format("the recipe says nothing of {}", quote(tensor.name)), "give a TYPE for tensors that it does not name");
	}
	VKQ_TRY(options.mixture.target, nearestFileType(source, plan, options));
	return {};
}

Result<void> checkRecipeOut(const VkquantArguments& arguments) {
	if (std::error_code ignored; !arguments.recipe_out.empty() && !arguments.job.force && std::filesystem::exists(arguments.recipe_out, ignored))
		return fail(ErrorCode::kExists, fmt::format("{}: exists already", arguments.recipe_out.string()), "--force replaces it");
	return {};
}

Result<void> writeRecipe(const QuantizePlan& plan, const std::filesystem::path& path) {
	std::vector<RecipeEntry> entries;
	for (size_t j = 0; j < plan.jobs.size(); ++j) {
		const TensorInfo& tensor = plan.layout.tensors[j];
		if (canQuantize({tensor.name, tensor.dimensions, tensor.ne, plan.jobs[j].from})) entries.push_back({tensor.name, tensor.type});
	}
	return writeText(path, recipeText(recipeLines(entries)));
}

Result<void> quantize(VkquantArguments& arguments) {
	if (!arguments.mix || arguments.mix->calibration.empty()) vk::widenSoftwareVectors();   // a calibration runs the model
	// Outputs that keep the input's split also keep its order, as the reference does.
	VKQ_TRY(const auto source, arguments.job.keep_split ? openGgufSource(arguments.input, TensorOrder::Stored) : openModelSource(arguments.input));
	for (const std::string& warning : source->warnings()) fmt::print(stderr, "vkquant: {}\n", warning);
	VKQ_CHECK(checkRecipeOut(arguments));
	std::optional<ChosenMix> mix;
	if (arguments.mix) {
		const MixSurroundings surroundings{arguments.device, arguments.validation, arguments.quiet || arguments.json, arguments.job.pipeline.threads};
		VKQ_TRY(mix, chooseMix(*source, *arguments.mix, surroundings, arguments.levels.front()));
	} else if (arguments.recipe_alone) {
		VKQ_CHECK(nameRecipe(*source, arguments.levels.front()));
	}
	VKQ_TRY(const std::vector<QuantizePlan> plans, planLevels(*source, arguments.levels));
	VkquantSummary summary{*source, arguments.levels, plans};
	if (mix) summary.mix = &*mix;

	std::unique_ptr<vk::Device> device;
	std::optional<JobResult> result;
	if (!arguments.dry_run) {
		VKQ_CHECK(checkModelfiles(arguments));
		if (arguments.job.pipeline.route != Route::Host) {
			VKQ_TRY(device, vk::Device::open(arguments.device, arguments.validation));
			summary.device = device.get();
		}
		ProgressBar bar(arguments.quiet || arguments.json);
		arguments.job.pipeline.interrupted = &interruptFlag();
		arguments.job.pipeline.progress = [&bar](const Progress& p) {
			bar.update(p.bytes_done, p.bytes_total, p.name, fmt::format("{} weights/s", formatCount(uint64_t(double(p.weights_done) / std::max(p.seconds, 1e-9)))));
		};
		VKQ_TRY(result, runJob(*source, arguments.input, device.get(), arguments.levels, plans, arguments.job));
		summary.result = &*result;
		if (arguments.modelfile)
			for (size_t i = 0; i < plans.size(); ++i) VKQ_CHECK(writeModelfile(plans[i].metadata, result->files[i].front()));
	}
	if (!arguments.recipe_out.empty()) VKQ_CHECK(writeRecipe(plans.front(), arguments.recipe_out));
	if (arguments.json) printJson(summaryJson(summary));
	else if (!arguments.quiet) printSummary(summary);
	return {};
}

int vkquant(int argc, char** argv) {
	VkquantArguments arguments;
	if (const auto code = parseVkquant(argc, argv, arguments)) return *code;
	catchInterrupts();
	if (auto done = quantize(arguments); !done) return report("vkquant", done.error());
	return kDone;
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkquant", [&] { return vkquant(argc, argv); });
}
