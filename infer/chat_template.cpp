#include "infer/chat_template.h"

#include "core/text.h"

#include <fmt/format.h>

namespace vkq {

namespace {

#define DEEPSEEK_BAR "\xEF\xBD\x9C"    // U+FF5C
#define DEEPSEEK_SPACE "\xE2\x96\x81"  // U+2581

const std::vector<ChatFormat>& table() {
	static const std::vector<ChatFormat> formats = {
		{.name = "chatml",
		 .system = {"<|im_start|>system\n", "<|im_end|>\n"},
		 .user = {"<|im_start|>user\n", "<|im_end|>\n"},
		 .assistant = {"<|im_start|>assistant\n", "<|im_end|>\n"},
		 .generation = "<|im_start|>assistant\n",
		 .stops = {"<|im_end|>", "<|endoftext|>"}},
		{.name = "qwen3",
		 .system = {"<|im_start|>system\n", "<|im_end|>\n"},
		 .user = {"<|im_start|>user\n", "<|im_end|>\n"},
		 .assistant = {"<|im_start|>assistant\n", "<|im_end|>\n"},
		 .generation = "<|im_start|>assistant\n",
		 .no_thinking = "<think>\n\n</think>\n\n",
		 .drops_thinking = true,
		 .stops = {"<|im_end|>", "<|endoftext|>"}},
		{.name = "qwen3-thinking",
		 .system = {"<|im_start|>system\n", "<|im_end|>\n"},
		 .user = {"<|im_start|>user\n", "<|im_end|>\n"},
		 .assistant = {"<|im_start|>assistant\n", "<|im_end|>\n"},
		 .generation = "<|im_start|>assistant\n<think>\n",
		 .drops_thinking = true,
		 .stops = {"<|im_end|>", "<|endoftext|>"}},
		{.name = "llama2",
		 .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
		 .user = {"[INST] ", " [/INST]"},
		 .assistant = {" ", " {eos}"},
		 .system_in_user_turn = true,
		 .next_turn = "{bos}",
		 .trims = true,
		 .stops = {"{eos}"}},
		{.name = "llama3",
		 .system = {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
		 .user = {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
		 .assistant = {"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
		 .generation = "<|start_header_id|>assistant<|end_header_id|>\n\n",
		 .trims = true,
		 .stops = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"}},
		{.name = "gemma",
		 .system = {"", "\n\n"},
		 .user = {"<start_of_turn>user\n", "<end_of_turn>\n"},
		 .assistant = {"<start_of_turn>model\n", "<end_of_turn>\n"},
		 .system_in_user_turn = true,
		 .generation = "<start_of_turn>model\n",
		 .trims = true,
		 .stops = {"<end_of_turn>", "<eos>"}},
		{.name = "phi3",
		 .system = {"<|system|>\n", "<|end|>\n"},
		 .user = {"<|user|>\n", "<|end|>\n"},
		 .assistant = {"<|assistant|>\n", "<|end|>\n"},
		 .generation = "<|assistant|>\n",
		 .stops = {"<|end|>", "<|endoftext|>"}},
		{.name = "phi4",
		 .system = {"<|im_start|>system<|im_sep|>", "<|im_end|>"},
		 .user = {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
		 .assistant = {"<|im_start|>assistant<|im_sep|>", "<|im_end|>"},
		 .generation = "<|im_start|>assistant<|im_sep|>",
		 .stops = {"<|im_end|>", "<|endoftext|>"}},
		// Mistral's instruct models differ in the spaces around [INST]; with SentencePiece those are tokens of their own.
		{.name = "mistral",
		 .system = {"", "\n\n"},
		 .user = {"[INST] ", " [/INST]"},
		 .assistant = {"", "{eos}"},
		 .system_in_user_turn = true,
		 .stops = {"{eos}"}},
		{.name = "mistral-v1",
		 .system = {"", "\n\n"},
		 .user = {" [INST] ", " [/INST]"},
		 .assistant = {" ", "{eos}"},
		 .system_in_user_turn = true,
		 .stops = {"{eos}"}},
		{.name = "mistral-v3",
		 .system = {"", "\n\n"},
		 .user = {"[INST] ", "[/INST]"},
		 .assistant = {" ", "{eos}"},
		 .system_in_user_turn = true,
		 .stops = {"{eos}"}},
		{.name = "mistral-v3-tekken",
		 .system = {"", "\n\n"},
		 .user = {"[INST]", "[/INST]"},
		 .assistant = {"", "{eos}"},
		 .system_in_user_turn = true,
		 .stops = {"{eos}"}},
		{.name = "mistral-v7",
		 .system = {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"},
		 .user = {"[INST] ", "[/INST]"},
		 .assistant = {" ", "{eos}"},
		 .stops = {"{eos}"}},
		{.name = "mistral-v7-tekken",
		 .system = {"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"},
		 .user = {"[INST]", "[/INST]"},
		 .assistant = {"", "{eos}"},
		 .stops = {"{eos}"}},
		{.name = "zephyr",
		 .system = {"<|system|>\n", "{eos}\n"},
		 .user = {"<|user|>\n", "{eos}\n"},
		 .assistant = {"<|assistant|>\n", "{eos}\n"},
		 .generation = "<|assistant|>\n",
		 .stops = {"{eos}"}},
		{.name = "deepseek3",
		 .system = {"", "\n\n"},
		 .user = {"<" DEEPSEEK_BAR "User" DEEPSEEK_BAR ">", ""},
		 .assistant = {"<" DEEPSEEK_BAR "Assistant" DEEPSEEK_BAR ">", "{eos}"},
		 .generation = "<" DEEPSEEK_BAR "Assistant" DEEPSEEK_BAR ">",
		 .drops_thinking = true,
		 .stops = {"{eos}", "<" DEEPSEEK_BAR "end" DEEPSEEK_SPACE "of" DEEPSEEK_SPACE "sentence" DEEPSEEK_BAR ">"}},
		{.name = "plain",
		 .system = {"", "\n\n"},
		 .user = {"User: ", "\n"},
		 .assistant = {"Assistant: ", "\n"},
		 .generation = "Assistant:",
		 .trims = true,
		 .stops = {"{eos}", "\nUser:"}},
	};
	return formats;
}

/// The row whose text a Jinja template writes, or null. The order matters: marks of later rows occur in templates of earlier ones.
const ChatFormat* formatOfTemplate(std::string_view jinja) {
	const auto has = [&](std::string_view mark) { return jinja.find(mark) != std::string_view::npos; };
	if (has("<|im_start|>")) {
		if (has("<|im_sep|>")) return findChatFormat("phi4");
		if (has("enable_thinking")) return findChatFormat("qwen3");
		return findChatFormat(has("assistant\\n<think>\\n") ? "qwen3-thinking" : "chatml");
	}
	if (has("[INST]")) {
		if (has("[SYSTEM_PROMPT]")) return findChatFormat(has("[SYSTEM_PROMPT] ") || has("[INST] ") ? "mistral-v7" : "mistral-v7-tekken");
		if (has("<<SYS>>")) return findChatFormat("llama2");
		if (has("[AVAILABLE_TOOLS]") || has("' [INST] ' + system_message"))
			return findChatFormat(has(" [INST]") ? "mistral-v1" : has("\"[INST]\"") ? "mistral-v3-tekken" : "mistral-v3");
		return findChatFormat("mistral");
	}
	if (has("<|start_header_id|>")) return findChatFormat("llama3");
	if (has("<start_of_turn>")) return findChatFormat("gemma");
	if (has("<" DEEPSEEK_BAR "Assistant" DEEPSEEK_BAR ">")) return findChatFormat("deepseek3");
	if (has("<|assistant|>") && has("<|end|>")) return findChatFormat("phi3");
	if (has("<|assistant|>") && has("<|user|>") && has("eos_token")) return findChatFormat("zephyr");
	return nullptr;
}

/// Files without a template: control tokens that only one kind of chat has.
const ChatFormat& formatOfVocabulary(const Tokenizer& tokenizer) {
	const auto has = [&](std::string_view text) {
		const Token token = tokenizer.find(text);
		return token != kNoToken && tokenizer.vocabulary().kinds[token] != TokenKind::kNormal;
	};
	std::string_view name = "plain";
	if (has("<|im_start|>")) {
		name = has("<|im_sep|>") ? "phi4" : "chatml";
	} else if (has("<|start_header_id|>")) {
		name = "llama3";
	} else if (has("<start_of_turn>")) {
		name = "gemma";
	} else if (has("[INST]")) {
		name = "mistral-v3";
	} else if (has("<|assistant|>") && has("<|end|>")) {
		name = "phi3";
	}
	return *findChatFormat(name);
}

std::string_view trimmed(std::string_view text) {
	constexpr std::string_view space = " \t\n\v\f\r";
	const size_t begin = text.find_first_not_of(space);
	return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(space) + 1 - begin);
}

std::string_view withoutThinking(std::string_view answer) {
	constexpr std::string_view end = "</think>";
	const size_t at = answer.rfind(end);
	if (at == std::string_view::npos) return answer;
	answer.remove_prefix(at + end.size());
	answer.remove_prefix(std::min(answer.find_first_not_of('\n'), answer.size()));
	return answer;
}

std::string resolved(std::string_view text, std::string_view bos, std::string_view eos) {
	std::string full(text);
	for (const auto& [name, value] : {std::pair<std::string_view, std::string_view>{"{bos}", bos}, {"{eos}", eos}})
		for (size_t at = full.find(name); at != std::string::npos; at = full.find(name, at + value.size())) full.replace(at, name.size(), value);
	return full;
}

}  // namespace

void SegmentWriter::write(std::string_view text, bool parse_special) {
	if (text.empty()) return;
	if (segments_.empty() || segments_.back().parse_special != parse_special) {
		segments_.push_back({std::string(text), parse_special});
	} else {
		segments_.back().text += text;
	}
}

std::span<const ChatFormat> chatFormats() { return table(); }

const ChatFormat* findChatFormat(std::string_view name) {
	for (const ChatFormat& format : table())
		if (format.name == name) return &format;
	return nullptr;
}

ChatTemplate ChatTemplate::of(const ChatFormat& format, const Tokenizer& tokenizer) {
	ChatTemplate chat;
	chat.format_ = &format;
	const TokenizerVocabulary& vocabulary = tokenizer.vocabulary();
	if (vocabulary.bos != kNoToken) chat.bos_ = vocabulary.texts[vocabulary.bos];
	if (vocabulary.eos != kNoToken) chat.eos_ = vocabulary.texts[vocabulary.eos];
	for (const std::string_view stop : format.stops)
		if (std::string text = resolved(stop, chat.bos_, chat.eos_); !text.empty()) chat.stops_.push_back(std::move(text));
	return chat;
}

ChatTemplate ChatTemplate::detect(const Metadata& metadata, const Tokenizer& tokenizer) {
	const auto jinja = metadata.string("tokenizer.chat_template");
	if (const ChatFormat* format = jinja ? formatOfTemplate(*jinja) : nullptr) return of(*format, tokenizer);
	ChatTemplate chat = of(formatOfVocabulary(tokenizer), tokenizer);
	chat.recognized_ = !jinja;
	return chat;
}

Result<std::vector<TextSegment>> ChatTemplate::render(std::span<const ChatMessage> messages, const ChatOptions& options) const {
	if (messages.empty()) return fail(ErrorCode::kUsage, "a chat needs at least one message");
	const ChatFormat& format = *format_;
	SegmentWriter out;
	const auto writeTemplate = [&](std::string_view text) { out.writeTemplate(resolved(text, bos_, eos_)); };
	const auto writeContent = [&](std::string_view text) { out.writeContent(format.trims ? trimmed(text) : text); };
	bool first_turn = true, turn_open = false;
	const auto openTurn = [&] {
		if (turn_open) return;
		if (!first_turn) writeTemplate(format.next_turn);
		writeTemplate(format.user.before);
		first_turn = false;
		turn_open = true;
	};
	const auto closeTurn = [&] {
		if (turn_open) writeTemplate(format.user.after);
		turn_open = false;
	};
	for (const ChatMessage& message : messages) {
		if (message.role == "system") {
			if (format.system_in_user_turn) openTurn();
			writeTemplate(format.system.before);
			writeContent(message.content);
			writeTemplate(format.system.after);
		} else if (message.role == "user") {
			openTurn();
			writeContent(message.content);
			closeTurn();
		} else if (message.role == "assistant") {
			closeTurn();  // of a system text that no question followed
			writeTemplate(format.assistant.before);
			writeContent(format.drops_thinking ? withoutThinking(message.content) : std::string_view(message.content));
			writeTemplate(format.assistant.after);
		} else {
			return fail(ErrorCode::kUsage, fmt::format("the role {} is none of system, user and assistant", quote(message.role)));
		}
	}
	closeTurn();
	if (options.add_generation_prompt) {
		writeTemplate(format.generation);
		if (!options.thinking) writeTemplate(format.no_thinking);
	}
	return out.finish();
}

}  // namespace vkq
