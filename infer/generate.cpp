#include "infer/generate.h"

#include "core/units.h"
#include "infer/stop_texts.h"

#include <fmt/format.h>

#include <algorithm>

namespace vkq {

std::string_view stopReasonName(StopReason reason) {
	switch (reason) {
		case StopReason::EndOfText: return "end_of_text";
		case StopReason::StopText: return "stop_text";
		case StopReason::Length: return "length";
		case StopReason::ContextFull: return "context_full";
		case StopReason::Interrupted: return "interrupted";
	}
	return "unknown";
}

Result<Generated> generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler, std::span<const Token> prompt, const GenerateOptions& options,
                           const std::function<void(std::string_view)>& show, const std::function<bool()>& interrupted) {
	Generated generated;
	Detokenizer detokenizer(tokenizer, {.show_control = options.show_control, .at_start = false});
	StopTexts stops(options.stops);
	const auto emit = [&](const std::string& text) {
		generated.text += text;
		if (show && !text.empty()) show(text);
	};
	const auto stopped = [&] { return interrupted && interrupted(); };

	for (const Token token : prompt) sampler.accept(token);
	auto logits = session.feed(prompt, interrupted);
	if (!logits && logits.error().code == ErrorCode::kInterrupted) {
		generated.reason = StopReason::Interrupted;
		return generated;
	}
	for (;;) {
		if (!logits) return std::move(logits).error();
		// A model's table may be longer than its tokenizer: padding that means nothing.
		VKQ_TRY(const Token token, sampler.sample(logits->first(std::min<size_t>(logits->size(), tokenizer.size()))));
		sampler.accept(token);
		generated.tokens.push_back(token);
		if (tokenizer.endsGeneration(token) && !options.ignore_end) {
			generated.reason = StopReason::EndOfText;
			break;
		}
		emit(stops.push(detokenizer.push(token)));
		generated.reason = stops.stopped()                                                                ? StopReason::StopText
		                   : options.most_tokens != 0 && generated.tokens.size() >= options.most_tokens ? StopReason::Length
		                   : stopped()                                                                    ? StopReason::Interrupted
		                                                                                                  : StopReason::ContextFull;
		if (generated.reason != StopReason::ContextFull || session.position() == session.context()) break;
		logits = session.feed({&token, 1});
	}
	if (!stops.stopped()) {
		emit(stops.push(detokenizer.finish()));
		emit(stops.finish());
	}
	return generated;
}

Result<void> checkVocabulary(const Tokenizer& tokenizer, const Hyperparameters& model, std::string_view file) {
	if (tokenizer.size() <= model.n_vocab) return {};
	return fail(ErrorCode::kInvalidData, fmt::format("{}: the tokenizer has {} tokens, the embedding table {}: they do not belong together", file,
	                                                 formatExact(tokenizer.size()), formatExact(model.n_vocab)));
}

}  // namespace vkq
