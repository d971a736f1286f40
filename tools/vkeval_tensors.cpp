// vkeval tensors ORIGINAL MODEL

#include "core/text.h"
#include "core/units.h"
#include "eval/tensor_errors.h"
#include "ggufio/imatrix_file.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/table.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

#include <optional>

namespace vkq::tools {

namespace {

struct Arguments {
	std::string original, model, imatrix;
	uint32_t top = 0;
	bool json = false, quiet = false;
};

Json toJson(const TensorErrors& errors) {
	Json tensors = Json::array();
	for (const TensorError& error : errors.tensors) {
		const Distortion& d = error.distortion;
		Json tensor = {{"name", error.name}, {"original_type", typeName(error.original_type)}, {"type", typeName(error.type)}, {"weights", d.count()},
		               {"rmse", d.rmse()}, {"relative_rmse", d.relativeRmse()}, {"max_error", d.maxError()}, {"cosine", d.cosine()},
		               {"worst_block", {{"rmse", d.worstBlock().rmse}, {"row", error.worstRow()}, {"column", error.worstColumn()}, {"weights", Distortion::kBlock}}}};
		if (d.hasImportance()) tensor["weighted_relative_rmse"] = d.weightedRelativeRmse();
		tensors.push_back(std::move(tensor));
	}
	return {{"tensors", std::move(tensors)}, {"only_in_original", errors.only_in_original}, {"only_in_model", errors.only_in_model},
	        {"of_other_shape", errors.of_other_shape}, {"without_codec", errors.without_codec}};
}

void printNames(std::string_view what, const std::vector<std::string>& names) {
	if (names.empty()) return;
	constexpr size_t kMost = 8;
	std::string list;
	for (size_t i = 0; i < std::min(names.size(), kMost); ++i) list += (i ? ", " : "") + printable(names[i]);
	if (names.size() > kMost) list += fmt::format(" and {} more", names.size() - kMost);
	fmt::print("{}: {}\n", what, list);
}

void print(const TensorErrors& errors, bool weighted, uint32_t top) {
	Table table({{"tensor"}, {"type"}, {"error", Align::Right}, {weighted ? "weighted" : "RMSE", Align::Right}, {"largest", Align::Right}, {"cosine", Align::Right},
	             {"worst block", Align::Right}, {"at row", Align::Right}, {"column", Align::Right}});
	size_t exact = 0, shown = 0;
	for (const TensorError& error : errors.tensors) {
		const Distortion& d = error.distortion;
		if (d.maxError() == 0) {
			++exact;
			continue;
		}
		if (top && shown++ >= top) continue;
		table.add({printable(error.name), error.original_type == error.type ? std::string(typeName(error.type)) : fmt::format("{} > {}", typeName(error.original_type), typeName(error.type)),
		           fmt::format("{:.3f} %", 100 * d.relativeRmse()),
		           !weighted ? fmt::format("{:.3e}", d.rmse()) : d.hasImportance() ? fmt::format("{:.3f} %", 100 * d.weightedRelativeRmse()) : "-",
		           fmt::format("{:.3e}", d.maxError()), fmt::format("{:.6f}", d.cosine()), fmt::format("{:.3e}", d.worstBlock().rmse), formatExact(error.worstRow()),
		           formatExact(error.worstColumn())});
	}
	if (!table.empty()) fmt::print("{}\n", table.text());
	fmt::print("{} tensors compared, {} of them equal to the last bit\n", errors.tensors.size(), exact);
	if (!table.empty()) fmt::print("error: root mean square of the difference, as a share of that of the weights{}\n", weighted ? "; weighted: by importance" : "");
	printNames("only in the original", errors.only_in_original);
	printNames("only in the model", errors.only_in_model);
	printNames("of another shape", errors.of_other_shape);
	printNames("of types that cannot be decoded", errors.without_codec);
}

Result<void> tensorsCommand(const Arguments& arguments) {
	VKQ_TRY(const auto original, openModelSource(arguments.original));
	VKQ_TRY(const auto model, openModelSource(arguments.model));
	std::optional<Imatrix> imatrix;
	if (!arguments.imatrix.empty()) {
		VKQ_TRY(imatrix, openImatrix(arguments.imatrix));
	}
	ProgressBar bar(arguments.quiet || arguments.json);
	VKQ_TRY(const TensorErrors errors, compareTensors(*original, *model, imatrix ? &*imatrix : nullptr, [&](uint64_t done, uint64_t weights, std::string_view name) {
		bar.update(done, weights, printable(name), "");
		return !interrupted();
	}));
	bar.clear();
	if (arguments.json) printJson(toJson(errors));
	else print(errors, imatrix.has_value(), arguments.top);
	return {};
}

}  // namespace

void addTensorsCommand(CLI::App& app, EvalCommand& chosen) {
	auto arguments = std::make_shared<Arguments>();
	CLI::App* command = app.add_subcommand("tensors", "errors of the weights, tensor by tensor, most harmed first");
	command->add_option("ORIGINAL", arguments->original, "GGUF or Hugging Face folder")->required();
	command->add_option("MODEL", arguments->model, "what was made of it")->required();
	command->add_option("--imatrix", arguments->imatrix, "importance matrix: errors are also weighted by it, and tensors ranked by that");
	command->add_option("--top", arguments->top, "only the N most harmed in the table");
	command->add_flag("-q,--quiet", arguments->quiet, "no progress");
	command->add_flag("--json", arguments->json, "figures as JSON");
	addExamples(*command, {"vkeval tensors model-f16.gguf model-Q4_K_M.gguf --top 10", "vkeval tensors model-f16.gguf model-Q4_K_M.gguf --imatrix imatrix.gguf"});
	command->callback([arguments, &chosen] { chosen = [arguments] { return tensorsCommand(*arguments); }; });
}

}  // namespace vkq::tools
