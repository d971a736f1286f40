// Text from a model, token by token: what vkrun, the example and other programs build on.
#pragma once

#include "infer/detokenizer.h"
#include "infer/sampler.h"
#include "infer/session.h"
#include "infer/tokenizer.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

enum class StopReason { EndOfText, StopText, Length, ContextFull, Interrupted };
std::string_view stopReasonName(StopReason reason);   // "end_of_text", "stop_text", "length", "context_full", "interrupted"

struct GenerateOptions {
	uint32_t most_tokens = 0;               // 0: until the context is full
	std::vector<std::string> stops;         // texts that end the answer; they are not part of it
	bool ignore_end = false;                // goes on after tokens that end a text
	bool show_control = false;
};

struct Generated {
	std::vector<Token> tokens;              // as sampled, the ending token included
	std::string text;                       // UTF-8
	StopReason reason = StopReason::Length;
};

/// Feeds `prompt` (not empty), then samples until something stops it. `show` gets the text in pieces of whole characters. The session's
/// cache then holds the prompt and all tokens but the last. An interruption is no error: what there is, is returned.
Result<Generated> generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler, std::span<const Token> prompt, const GenerateOptions& options,
                           const std::function<void(std::string_view)>& show = {}, const std::function<bool()>& interrupted = {});

/// kInvalidData when the tokenizer has tokens that the model has no embedding for.
Result<void> checkVocabulary(const Tokenizer& tokenizer, const Hyperparameters& model, std::string_view file);

}  // namespace vkq
