// Chat messages to prompt text, for the model families that this project runs.
//
// A model's own template (tokenizer.chat_template) is a Jinja program; nothing runs it here. It is recognized by the marks that it
// writes, and the same text is written from a table (docs/chat-templates.md prints it). Template text may contain control
// tokens; what people and models wrote never does: the two are separate segments, so that a typed "<|im_end|>" stays text.
#pragma once

#include "core/result.h"
#include "ggufio/metadata.h"
#include "infer/tokenizer.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

struct ChatMessage {
	std::string role;      // "system", "user", "assistant"
	std::string content;
};

struct ChatOptions {
	bool add_generation_prompt = true;  // end with the beginning of the assistant's turn
	bool thinking = true;               // where a model can be told not to think (Qwen3), tell it when unset
};

/// What stands around one role's content.
struct ChatTurn {
	std::string_view before, after;
};

/// One row of the table. "{bos}" and "{eos}" stand for the model's own tokens.
struct ChatFormat {
	std::string_view name;              // "chatml", ...
	ChatTurn system, user, assistant;
	/// The system text has no turn: it goes into the user's, between user.before and the content (Llama 2, Mistral, Gemma).
	bool system_in_user_turn = false;
	std::string_view next_turn;         // in front of every user turn but the first
	std::string_view generation;        // the beginning of the assistant's answer
	std::string_view no_thinking;       // appended to `generation` to keep the model from thinking; empty: it cannot be told
	bool trims = false;                 // white space around contents is dropped
	bool drops_thinking = false;        // earlier answers lose what is up to </think>
	std::vector<std::string_view> stops;
};

/// Every row, for documentation and tests.
std::span<const ChatFormat> chatFormats();
/// By name, or null.
const ChatFormat* findChatFormat(std::string_view name);

/// A format for one model. The tokenizer is only used by the functions that create it.
class ChatTemplate {
public:
	/// By the file's template; without one that is recognized, by control tokens that the vocabulary has; else "plain".
	static ChatTemplate detect(const Metadata& metadata, const Tokenizer& tokenizer);
	static ChatTemplate of(const ChatFormat& format, const Tokenizer& tokenizer);

	const ChatFormat& format() const { return *format_; }
	/// Unset when the file has a template that none of the rows is known to equal: worth a warning.
	bool recognized() const { return recognized_; }

	/// The prompt, to be encoded with add_special (the beginning token is the tokenizer's matter). kUsage: no messages, a role that
	/// is none of the three.
	Result<std::vector<TextSegment>> render(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;

	/// Texts that end an answer, "{eos}" resolved. Some are tokens (Tokenizer::find), others just text ("\nUser:").
	const std::vector<std::string>& stops() const { return stops_; }

private:
	const ChatFormat* format_ = nullptr;
	bool recognized_ = true;
	std::string bos_, eos_;
	std::vector<std::string> stops_;
};

/// What a chat turns into while it is written: template text and contents, neighbours of a kind joined.
class SegmentWriter {
public:
	void writeTemplate(std::string_view text) { write(text, true); }
	void writeContent(std::string_view text) { write(text, false); }
	std::vector<TextSegment> finish() { return std::move(segments_); }

private:
	void write(std::string_view text, bool parse_special);
	std::vector<TextSegment> segments_;
};

}  // namespace vkq
