// A conversation: messages to tokens, what the cache holds already, and the terminal's line editor.
#pragma once

#include "infer/chat_template.h"
#include "infer/generate.h"
#include "infer/modelfile_template.h"
#include "tools/vkrun_settings.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace vkq::tools {

class Chat {
public:
	/// The format: a Modelfile's TEMPLATE, --chat-format, or the model's own. All references must outlive it.
	static Result<Chat> create(const ModelSource& source, const Tokenizer& tokenizer, const RunArguments& arguments, const RunSettings& settings);

	/// Whether the model says how a chat is to be written: else a prompt is continued as it stands.
	bool instructed() const { return instructed_; }
	bool recognized() const { return !template_ || template_->recognized(); }
	std::string_view formatName() const { return modelfile_template_ ? "Modelfile" : template_->format().name; }
	std::vector<std::string> stops() const;
	size_t messages() const { return messages_.size(); }

	/// Asks and takes the answer into the conversation. Only what the cache does not hold is computed.
	Result<Generated> ask(Session& session, Sampler& sampler, const std::string& question, GenerateOptions options, const std::function<void(std::string_view)>& show,
	                      const std::function<bool()>& interrupted);

	/// Forgets all but the system message and what the Modelfile said.
	void clear() { messages_ = beginning_; }

private:
	Result<std::vector<Token>> encode() const;

	const Tokenizer* tokenizer_ = nullptr;
	std::optional<ChatTemplate> template_;
	std::optional<ModelfileTemplate> modelfile_template_;
	bool instructed_ = false, thinking_ = true;
	std::vector<ChatMessage> beginning_, messages_;
	std::vector<std::string> extra_stops_;
	std::vector<Token> cached_;   // what the session's cache holds
};

/// Reads questions from the terminal until it ends (Ctrl-D, /bye). Ctrl-C stops an answer, or empties the line.
int chatOnTerminal(Chat& chat, Session& session, Sampler& sampler, const GenerateOptions& options, bool quiet);

}  // namespace vkq::tools
