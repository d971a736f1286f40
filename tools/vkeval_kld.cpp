// vkeval kld MODEL --base FILE, or --original MODEL -f TEXT

#include "core/text.h"
#include "core/units.h"
#include "eval/divergence.h"
#include "tools/common.h"
#include "tools/table.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

#include <optional>

namespace vkq::tools {

namespace {

struct Arguments {
	std::string model, base, original;
	RunOptions run;
};

constexpr double kShares[] = {0.999, 0.99, 0.95, 0.90, 0.50, 0.10, 0.05, 0.01, 0.001};

Json percentilesJson(const std::vector<float>& sorted) {
	Json json;
	for (const double share : kShares) json[fmt::format("{:g}", 100 * share)] = percentile(sorted, share);
	return json;
}

}  // namespace

Json divergenceJson(const Divergence& d) {
	return {{"positions", d.positions},
	        {"perplexity", d.perplexity.mean},
	        {"perplexity_error", d.perplexity.error},
	        {"base_perplexity", d.base_perplexity.mean},
	        {"base_perplexity_error", d.base_perplexity.error},
	        {"perplexity_difference", d.difference.mean},
	        {"perplexity_difference_error", d.difference.error},
	        {"log_perplexity_ratio", d.log_ratio.mean},
	        {"log_perplexity_ratio_error", d.log_ratio.error},
	        {"perplexity_ratio", d.ratio.mean},
	        {"perplexity_ratio_error", d.ratio.error},
	        {"correlation", d.correlation},
	        {"mean_kld", d.kld.mean},
	        {"mean_kld_error", d.kld.error},
	        {"max_kld", d.maxKld()},
	        {"kld_percentiles", percentilesJson(d.klds)},
	        {"mean_delta_p", d.delta_p.mean},
	        {"mean_delta_p_error", d.delta_p.error},
	        {"rms_delta_p", d.rms_delta_p.mean},
	        {"rms_delta_p_error", d.rms_delta_p.error},
	        {"delta_p_percentiles", percentilesJson(d.delta_ps)},
	        {"same_top", d.same_top.mean},
	        {"same_top_error", d.same_top.error},
	        {"seconds", d.seconds}};
}

namespace {

void print(const Divergence& d) {
	const auto line = [](const char* what, const MeanError& value, const char* unit = "", double scale = 1) {
		fmt::print("{:<28} {:>12.6f} +/- {:.6f}{}\n", what, scale * value.mean, scale * value.error, unit);
	};
	line("perplexity", d.perplexity);
	line("original's perplexity", d.base_perplexity);
	line("perplexity ratio", d.ratio);
	line("perplexity difference", d.difference);
	line("ln of the ratio", d.log_ratio);
	fmt::print("{:<28} {:>12.6f}\n", "correlation", d.correlation);
	line("mean KL divergence", d.kld);
	line("same most likely token", d.same_top, " %", 100);
	line("mean change of probability", d.delta_p, " %", 100);
	line("RMS change of probability", d.rms_delta_p, " %", 100);
	Table table({{"percentile"}, {"KL divergence", Align::Right}, {"change of probability", Align::Right}});
	table.add({"maximum", fmt::format("{:.6f}", d.maxKld()), fmt::format("{:.3f} %", d.delta_ps.empty() ? 0 : 100 * d.delta_ps.back())});
	for (const double share : kShares)
		table.add({fmt::format("{:g} %", 100 * share), fmt::format("{:.6f}", percentile(d.klds, share)), fmt::format("{:.3f} %", 100 * percentile(d.delta_ps, share))});
	table.add({"minimum", fmt::format("{:.6f}", d.klds.empty() ? 0.f : d.klds.front()), fmt::format("{:.3f} %", d.delta_ps.empty() ? 0 : 100 * d.delta_ps.front())});
	fmt::print("\n{}\n{} positions in {}\n", table.text(), d.positions, formatSeconds(d.seconds));
}

Result<Divergence> againstFile(const Arguments& arguments, const SessionOptions& options) {
	VKQ_TRY(const BaseLogits base, BaseLogits::open(arguments.base));
	VKQ_TRY(LoadedModel model, openModel(arguments.model));
	if (model.tokenizer->size() != base.vocabulary())
		return fail(ErrorCode::kInvalidData, fmt::format("{}: has {} tokens, but {} was written by a model of {}", quote(arguments.model), model.tokenizer->size(), quote(arguments.base), base.vocabulary()),
		            "compare a model with the original that it was made from");
	std::vector<Token> tokens = base.tokens();
	if (arguments.run.chunks && arguments.run.chunks < base.chunks()) tokens.resize(size_t(arguments.run.chunks) * base.context());
	VKQ_CHECK(startSession(model, options, base.context()));
	auto result = measureDivergence(*model.session, chunksOf(*model.tokenizer, std::move(tokens), base.context()), base, chunkProgress(arguments.run, "KLD"));
	if (!result) return about(arguments.model, result.error());
	return result;
}

Result<Divergence> againstModel(const Arguments& arguments, const SessionOptions& options) {
	VKQ_TRY(const std::string text, readText(arguments.run.text_file));
	VKQ_TRY(LoadedModel model, openModel(arguments.model));
	VKQ_TRY(LoadedModel original, openModel(arguments.original));
	if (auto same = checkSameVocabulary(*model.tokenizer, *original.tokenizer); !same) return about(arguments.model, same.error());
	VKQ_TRY(const TextChunks chunks, chunksOfText(*model.tokenizer, text, arguments.run));
	SessionOptions plain = options;
	plain.k_type = plain.v_type = TensorType::F16;
	VKQ_CHECK(startSession(model, options, chunks.context));
	VKQ_CHECK(startSession(original, plain, chunks.context));
	auto result = measureDivergence(*model.session, *original.session, chunks, chunkProgress(arguments.run, "KLD"));
	if (!result) return about(arguments.model + " or " + arguments.original, result.error());
	return result;
}

Result<void> divergenceCommand(const Arguments& arguments) {
	if (arguments.base.empty() == arguments.original.empty()) return fail(ErrorCode::kUsage, "say what to compare with: --base FILE, or --original MODEL -f TEXT");
	if (!arguments.original.empty() && arguments.run.text_file.empty()) return fail(ErrorCode::kUsage, "--original needs a text: -f FILE");
	VKQ_TRY(const SessionOptions options, sessionOptions(arguments.run));
	VKQ_TRY(const Divergence result, arguments.base.empty() ? againstModel(arguments, options) : againstFile(arguments, options));
	if (arguments.run.json) printJson(divergenceJson(result));
	else print(result);
	return {};
}

}  // namespace

void addDivergenceCommand(CLI::App& app, EvalCommand& chosen) {
	auto arguments = std::make_shared<Arguments>();
	CLI::App* command = app.add_subcommand("kld", "KL divergence of a quantized model from its original");
	command->add_option("MODEL", arguments->model, "the quantized model")->required();
	command->add_option("--base", arguments->base, "log-probabilities of the original: vkeval ppl --save-logits, or llama-perplexity's");
	command->add_option("--original", arguments->original, "the original model itself; both are held in memory");
	addRunOptions(*command, arguments->run, false);
	addExamples(*command, {"vkeval kld model-Q4_K_M.gguf --base base.bin", "vkeval kld model-Q4_K_M.gguf --original model-f16.gguf -f text.txt",
	                       "vkeval kld model-f16.gguf --original model-f16.gguf -f text.txt --kv q4_0   # what a smaller cache costs"});
	command->callback([arguments, &chosen] { chosen = [arguments] { return divergenceCommand(*arguments); }; });
}

}  // namespace vkq::tools
