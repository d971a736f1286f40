#include "tools/vkeval_commands.h"

#include "core/text.h"
#include "tools/common.h"
#include "tools/progress_bar.h"

#include <fmt/format.h>

namespace vkq::tools {

void addRunOptions(CLI::App& command, RunOptions& options, bool needs_text) {
	auto* text = command.add_option("-f,--file", options.text_file, "the text");
	if (needs_text) text->required();
	command.add_option("-c,--ctx", options.context, "tokens a chunk")->capture_default_str();
	command.add_option("--chunks", options.chunks, "at most this many chunks (0: all)")->capture_default_str();
	command.add_option("--kv", options.cache, "type of the KV cache: f16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl")->capture_default_str();
	command.add_option("--kv-k", options.cache_k, "of keys alone");
	command.add_option("--kv-v", options.cache_v, "of values alone");
	command.add_option("--inputs", options.inputs, "what weights are multiplied with: device (what is fastest there), float, 8bit, or reference (rounded as llama.cpp's CPU backend does)")
		->check(CLI::IsMember({"device", "float", "8bit", "reference"}))->capture_default_str();
	command.add_option("--device", options.device, "Vulkan device by index, name or UUID");
	command.add_flag("-q,--quiet", options.quiet, "no progress");
	command.add_flag("--json", options.json, "figures as JSON");
}

InputPrecision inputPrecision(std::string_view name) {
	if (name == "float") return InputPrecision::Float;
	if (name == "8bit") return InputPrecision::Bits8;
	return name == "reference" ? InputPrecision::Reference : InputPrecision::Device;
}

Error about(const std::string& file, Error error) {
	error.message = fmt::format("{}: {}", quote(file), error.message);
	return error;
}

Result<TextChunks> chunksOfText(const Tokenizer& tokenizer, const std::string& text, const RunOptions& options) {
	auto chunks = cutChunks(tokenizer, text, options.context, options.chunks);
	if (!chunks && chunks.error().code != ErrorCode::kUsage) return about(options.text_file, chunks.error());
	return chunks;
}

Result<LoadedModel> openModel(const std::string& path) {
	LoadedModel model;
	VKQ_TRY(model.source, openModelSource(path));
	VKQ_TRY(Tokenizer tokenizer, Tokenizer::fromMetadata(model.source->metadata(), path));
	model.tokenizer = std::make_unique<Tokenizer>(std::move(tokenizer));
	return model;
}

Result<TensorType> cacheType(std::string_view name) {
	if (const auto found = typeFromName(name)) return *found;
	return fail(ErrorCode::kUsage, fmt::format("{} is no type of KV cache", quote(name)), "types: f16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl");
}

Result<SessionOptions> sessionOptions(const RunOptions& options) {
	SessionOptions session;
	VKQ_TRY(session.k_type, cacheType(options.cache_k.empty() ? options.cache : options.cache_k));
	VKQ_TRY(session.v_type, cacheType(options.cache_v.empty() ? options.cache : options.cache_v));
	if (!options.device.empty()) session.devices = {options.device};
	session.inputs = inputPrecision(options.inputs);
	return session;
}

Result<void> startSession(LoadedModel& model, const SessionOptions& options, uint32_t context) {
	VKQ_TRY(Session opened, Session::open(*model.source, scoringOptions(options, context)));
	model.session = std::make_unique<Session>(std::move(opened));
	return {};
}

EvalProgress chunkProgress(const RunOptions& options, std::string_view figure) {
	auto bar = std::make_shared<ProgressBar>(options.quiet || options.json);
	return [bar, figure = std::string(figure)](uint32_t done, uint32_t chunks, double running) {
		bar->update(done, chunks, fmt::format("chunk {} of {}", done, chunks), fmt::format("{} {:.4f}", figure, running));
		if (done == chunks) bar->clear();
		return !interrupted();
	};
}

}  // namespace vkq::tools
