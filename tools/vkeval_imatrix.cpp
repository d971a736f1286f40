// vkeval imatrix MODEL -f TEXT -o OUT

#include "core/text.h"
#include "core/units.h"
#include "eval/imatrix.h"
#include "tools/common.h"
#include "tools/progress_bar.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

#include <chrono>

namespace vkq::tools {

namespace {

struct Arguments {
	std::string model, output;
	bool force = false;
	RunOptions run;
};

Result<void> imatrixCommand(const Arguments& arguments) {
	if (std::error_code ignored; !arguments.force && std::filesystem::exists(arguments.output, ignored))
		return fail(ErrorCode::kExists, fmt::format("{} exists already", quote(arguments.output)), "--force replaces it");
	VKQ_TRY(const SessionOptions options, sessionOptions(arguments.run));
	VKQ_TRY(const std::string text, readText(arguments.run.text_file));
	VKQ_TRY(LoadedModel model, openModel(arguments.model));
	VKQ_TRY(const TextChunks chunks, chunksOfText(*model.tokenizer, text, arguments.run));
	VKQ_CHECK(startSession(model, options, chunks.context));
	ProgressBar bar(arguments.run.quiet || arguments.run.json);
	const auto start = std::chrono::steady_clock::now();
	auto collected = collectImatrix(*model.session, *model.source, chunks, [&](uint32_t done, uint32_t of, double) {
		bar.update(done, of, fmt::format("chunk {} of {}", done, of), "");
		return !interrupted();
	});
	if (!collected) return about(arguments.model, collected.error());
	ImatrixSums sums = std::move(collected).value();
	bar.clear();
	const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	sums.datasets = {arguments.run.text_file};
	VKQ_CHECK(writeImatrix(arguments.output, sums, arguments.force));
	if (arguments.run.json) {
		printJson({{"model", arguments.model}, {"text", arguments.run.text_file}, {"output", arguments.output}, {"context", chunks.context}, {"chunks", chunks.count()},
		           {"tensors", sums.entries.size()}, {"tokens", chunks.tokens.size()}, {"seconds", seconds}});
		return {};
	}
	if (!arguments.run.quiet)
		fmt::print("{}: {} tensors, {} tokens in {} ({:.1f} tokens/s on {})\n", arguments.output, sums.entries.size(), formatExact(chunks.tokens.size()), formatSeconds(seconds),
		           double(chunks.tokens.size()) / seconds, model.session->deviceNames());
	return {};
}

}  // namespace

void addImatrixCommand(CLI::App& app, EvalCommand& chosen) {
	auto arguments = std::make_shared<Arguments>();
	CLI::App* command = app.add_subcommand("imatrix", "importance matrix of a model, for vkquant --imatrix");
	command->add_option("MODEL", arguments->model, "GGUF or Hugging Face folder; as little quantized as there is memory for")->required();
	command->add_option("-o,--output", arguments->output, "the matrix: FILE.gguf")->required();
	command->add_flag("--force", arguments->force, "overwrite it");
	addRunOptions(*command, arguments->run);
	addExamples(*command, {"vkeval imatrix model-f16.gguf -f calibration.txt -o imatrix.gguf --chunks 100", "vkquant model-f16.gguf Q2_K --imatrix imatrix.gguf"});
	command->callback([arguments, &chosen] { chosen = [arguments] { return imatrixCommand(*arguments); }; });
}

}  // namespace vkq::tools
