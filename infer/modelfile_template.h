// The TEMPLATE of an Ollama Modelfile: a subset of Go's text/template, enough for what Modelfiles do with chats.
//
// Understood: text; {{ .System }} {{ .Prompt }} {{ .Response }} {{ .Messages }} and, in a range, {{ .Role }} {{ .Content }}; $.Name for
// the outer ones; if, else if, else, end; range .Messages; eq, ne, and, or, not, parentheses; "strings" and `strings`; comments;
// {{- and -}}. Tools and suffixes do not exist here: .Tools, .ToolCalls and .Suffix are empty. Everything else (variables, pipes,
// other functions) is refused by name when the template is parsed.
//
// Two ways of writing a template, as in Ollama: with .Messages it renders a whole chat; without, it renders one turn of .System,
// .Prompt and .Response, and is applied turn after turn. The last turn ends where .Response stands.
#pragma once

#include "infer/chat_template.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace vkq {

class ModelfileTemplate {
public:
	/// kUnsupported: a construct outside of the subset. kMalformed: an action, if or range that does not end.
	static Result<ModelfileTemplate> parse(std::string_view text);

	ModelfileTemplate(ModelfileTemplate&&) noexcept;
	ModelfileTemplate& operator=(ModelfileTemplate&&) noexcept;
	~ModelfileTemplate();

	/// The prompt: the template's text may hold control tokens, what it inserts never does. Without add_generation_prompt a turn-wise
	/// template is applied whole to the last turn too; one with .Messages decides that by itself. kUsage as ChatTemplate::render.
	Result<std::vector<TextSegment>> render(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;

private:
	struct Impl;
	explicit ModelfileTemplate(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
