// vkeval ppl MODEL -f TEXT

#include "core/text.h"
#include "core/units.h"
#include "eval/base_logits.h"
#include "tools/common.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

namespace vkq::tools {

namespace {

struct Arguments {
	std::string model, save_logits;
	bool force = false;
	RunOptions run;
};

Result<void> perplexityCommand(const Arguments& arguments) {
	VKQ_TRY(const SessionOptions options, sessionOptions(arguments.run));
	if (std::error_code ignored; !arguments.save_logits.empty() && !arguments.force && std::filesystem::exists(arguments.save_logits, ignored))
		return fail(ErrorCode::kExists, fmt::format("{} exists already", quote(arguments.save_logits)), "--force replaces it");
	VKQ_TRY(const std::string text, readText(arguments.run.text_file));
	VKQ_TRY(LoadedModel model, openModel(arguments.model));
	VKQ_TRY(const TextChunks chunks, chunksOfText(*model.tokenizer, text, arguments.run));
	VKQ_CHECK(startSession(model, options, chunks.context));
	std::optional<BaseLogitsWriter> writer;
	ScoreVisitor save;
	if (!arguments.save_logits.empty()) {
		VKQ_TRY(writer, BaseLogitsWriter::create(arguments.save_logits, chunks, model.session->model().n_vocab, arguments.force));
		save = [&writer](const ScoredPosition& position) { return writer->add(position.logits); };
	}
	auto measured = measurePerplexity(*model.session, chunks, chunkProgress(arguments.run, "perplexity"), save);
	if (!measured) return about(arguments.model, measured.error());
	const Perplexity result = std::move(measured).value();
	if (writer) VKQ_CHECK(writer->finish());

	if (arguments.run.json) {
		printJson({{"model", arguments.model}, {"text", arguments.run.text_file}, {"context", chunks.context}, {"chunks", chunks.count()}, {"perplexity", result.value},
		           {"error", result.error}, {"positions", result.positions}, {"seconds", result.seconds}, {"tokens_per_second", double(result.tokens) / result.seconds},
		           {"running", result.running}, {"inputs", arguments.run.inputs}, {"device", model.session->deviceNames()}});
		return {};
	}
	fmt::print("perplexity {:.4f} +/- {:.4f}  ({} positions in {} chunks of {} tokens)\n", result.value, result.error, result.positions, chunks.count(), chunks.context);
	fmt::print("{} tokens in {}: {:.1f} tokens/s on {}\n", result.tokens, formatSeconds(result.seconds), double(result.tokens) / result.seconds, model.session->deviceNames());
	if (writer) fmt::print("log-probabilities for vkeval kld: {}\n", arguments.save_logits);
	return {};
}

}  // namespace

void addPerplexityCommand(CLI::App& app, EvalCommand& chosen) {
	auto arguments = std::make_shared<Arguments>();
	CLI::App* command = app.add_subcommand("ppl", "perplexity of a model on a text");
	command->add_option("MODEL", arguments->model, "GGUF or Hugging Face folder")->required();
	command->add_option("--save-logits", arguments->save_logits, "write the log-probabilities, in the reference's form, for vkeval kld");
	command->add_flag("--force", arguments->force, "overwrite the file of --save-logits");
	addRunOptions(*command, arguments->run);
	addExamples(*command, {"vkeval ppl model-Q4_K_M.gguf -f text.txt", "vkeval ppl model-Q4_K_M.gguf -f text.txt --ctx 2048 --kv q8_0 --chunks 20",
	                       "vkeval ppl model-f16.gguf -f text.txt --save-logits base.bin   # then: vkeval kld model-Q4_K_M.gguf --base base.bin"});
	command->callback([arguments, &chosen] { chosen = [arguments] { return perplexityCommand(*arguments); }; });
}

}  // namespace vkq::tools
