// The commands of vkeval. Each add...Command() declares a subcommand; when the user gives it, it puts what is to be done into `chosen`.
#pragma once

#include "core/result.h"
#include "eval/divergence.h"
#include "eval/perplexity.h"
#include "ggufio/model_source.h"
#include "infer/session.h"
#include "infer/tokenizer.h"
#include "tools/common.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>

namespace vkq::tools {

using EvalCommand = std::function<Result<void>()>;

void addPerplexityCommand(CLI::App& app, EvalCommand& chosen);
void addDivergenceCommand(CLI::App& app, EvalCommand& chosen);
void addTensorsCommand(CLI::App& app, EvalCommand& chosen);
void addCompareCommand(CLI::App& app, EvalCommand& chosen);
void addImatrixCommand(CLI::App& app, EvalCommand& chosen);

/// What all commands that run a model take.
struct RunOptions {
	std::string text_file;
	uint32_t context = 512, chunks = 0;
	std::string cache = "f16", cache_k, cache_v;
	std::string inputs = "device";
	std::string device;
	bool json = false, quiet = false;
};
void addRunOptions(CLI::App& command, RunOptions& options, bool needs_text = true);

/// By the name that --inputs has checked.
InputPrecision inputPrecision(std::string_view name);

/// A model and what scores texts with it. Members keep each other alive.
struct LoadedModel {
	std::unique_ptr<ModelSource> source;
	std::unique_ptr<Tokenizer> tokenizer;
	std::unique_ptr<Session> session;   // null until startSession()
};
/// Reads headers only: what is wrong with a text or a pair of models is said before weights are loaded.
Result<LoadedModel> openModel(const std::string& path);
Result<void> startSession(LoadedModel& model, const SessionOptions& options, uint32_t context);

/// Device, inputs and cache types as given; kUsage for what is no cache type.
Result<SessionOptions> sessionOptions(const RunOptions& options);
Result<TensorType> cacheType(std::string_view name);

/// All figures of a divergence.
Json divergenceJson(const Divergence& divergence);

/// The text cut into chunks; errors name its file.
Result<TextChunks> chunksOfText(const Tokenizer& tokenizer, const std::string& text, const RunOptions& options);

/// The error with the file that it is about in front.
Error about(const std::string& file, Error error);

/// A progress bar over chunks that also looks for Ctrl-C.
EvalProgress chunkProgress(const RunOptions& options, std::string_view figure);

}  // namespace vkq::tools
