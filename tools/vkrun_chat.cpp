#include "tools/vkrun_chat.h"

#include "core/units.h"
#include "infer/utf8.h"
#include "tools/common.h"

#include <fmt/format.h>
#include <histedit.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <memory>

namespace vkq::tools {

namespace {

std::atomic<bool> stop_answer{false};
void onInterrupt(int) { stop_answer = true; }

/// While it lives, Ctrl-C sets stop_answer and interrupts reading, every time.
class AnswerInterrupts {
public:
	AnswerInterrupts() {
		struct sigaction action = {};
		action.sa_handler = onInterrupt;
		sigemptyset(&action.sa_mask);
		::sigaction(SIGINT, &action, &before_);
	}
	~AnswerInterrupts() { ::sigaction(SIGINT, &before_, nullptr); }

private:
	struct sigaction before_ = {};
};

class LineEditor {
public:
	LineEditor() : history_(history_init()), editor_(el_init("vkrun", stdin, stdout, stderr)) {
		HistEvent event;
		history(history_, &event, H_SETSIZE, 1000);
		el_set(editor_, EL_PROMPT, +[](EditLine*) -> char* { static char prompt[] = ">>> "; return prompt; });
		el_set(editor_, EL_EDITOR, "emacs");
		el_set(editor_, EL_HIST, history, history_);
		el_set(editor_, EL_SIGNAL, 0);
	}
	~LineEditor() {
		el_end(editor_);
		history_end(history_);
	}

	/// Nothing at the end of input. An interrupted line comes as an empty one.
	std::optional<std::string> read() {
		int count = 0;
		const char* line = el_gets(editor_, &count);
		if (!line || count <= 0) {
			if (!stop_answer.exchange(false)) return std::nullopt;
			el_reset(editor_);
			fmt::print("\n");
			return std::string();
		}
		std::string text(line, size_t(count));
		while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
		HistEvent event;
		if (!text.empty()) history(history_, &event, H_ENTER, text.c_str());
		return text;
	}

private:
	History* history_;
	EditLine* editor_;
};

}  // namespace

Result<Chat> Chat::create(const ModelSource& source, const Tokenizer& tokenizer, const RunArguments& arguments, const RunSettings& settings) {
	Chat chat;
	chat.tokenizer_ = &tokenizer;
	chat.thinking_ = !arguments.no_thinking;
	chat.extra_stops_ = settings.stops;
	chat.instructed_ = source.metadata().contains("tokenizer.chat_template") || !arguments.chat_format.empty() || settings.system.has_value();
	if (settings.modelfile && settings.modelfile->chat_template) {
		VKQ_TRY(chat.modelfile_template_, ModelfileTemplate::parse(*settings.modelfile->chat_template));
		chat.instructed_ = true;
	} else if (!arguments.chat_format.empty()) {
		const ChatFormat* format = findChatFormat(arguments.chat_format);
		if (!format) {
			std::string known;
			for (const ChatFormat& row : chatFormats()) known += fmt::format(" {}", row.name);
			return fail(ErrorCode::kUsage, fmt::format("there is no chat format '{}'", arguments.chat_format), "there are:" + known);
		}
		chat.template_ = ChatTemplate::of(*format, tokenizer);
	} else {
		chat.template_ = ChatTemplate::detect(source.metadata(), tokenizer);
	}
	if (settings.system && !settings.system->empty()) chat.beginning_.push_back({"system", *settings.system});
	if (settings.modelfile)
		for (const auto& [role, content] : settings.modelfile->messages) chat.beginning_.push_back({role, content});
	chat.messages_ = chat.beginning_;
	return chat;
}

std::vector<std::string> Chat::stops() const {
	std::vector<std::string> stops = extra_stops_;
	if (template_) stops.insert(stops.end(), template_->stops().begin(), template_->stops().end());
	return stops;
}

Result<std::vector<Token>> Chat::encode() const {
	const ChatOptions options{.add_generation_prompt = true, .thinking = thinking_};
	if (modelfile_template_) {
		VKQ_TRY(const auto segments, modelfile_template_->render(messages_, options));
		return tokenizer_->encode(segments);
	}
	VKQ_TRY(const auto segments, template_->render(messages_, options));
	return tokenizer_->encode(segments);
}

Result<Generated> Chat::ask(Session& session, Sampler& sampler, const std::string& question, GenerateOptions options, const std::function<void(std::string_view)>& show,
                            const std::function<bool()>& interrupted) {
	messages_.push_back({"user", question});
	const auto answer = [&]() -> Result<Generated> {
		VKQ_TRY(const std::vector<Token> prompt, encode());
		if (prompt.size() >= session.context()) {
			return fail(ErrorCode::kUsage, fmt::format("the conversation has {} tokens, the context holds {}", formatExact(prompt.size()), formatExact(session.context())),
			            "/clear begins a new one; a larger --ctx holds more");
		}
		// At least the last token is fed, for its logits.
		size_t same = size_t(std::mismatch(cached_.begin(), cached_.end(), prompt.begin(), prompt.end() - 1).first - cached_.begin());
		if (!session.rewind(uint32_t(same))) {
			same = 0;
			VKQ_CHECK(session.rewind(0));
		}
		cached_.resize(same);
		options.stops = stops();
		auto generated = generate(session, *tokenizer_, sampler, std::span(prompt).subspan(same), options, show, interrupted);
		cached_ = prompt;
		if (generated) cached_.insert(cached_.end(), generated->tokens.begin(), generated->tokens.end());
		cached_.resize(std::min<size_t>(cached_.size(), session.position()));
		return generated;
	}();
	if (answer) messages_.push_back({"assistant", answer->text});
	else messages_.pop_back();
	return answer;
}

int chatOnTerminal(Chat& chat, Session& session, Sampler& sampler, const GenerateOptions& options, bool quiet) {
	std::setlocale(LC_CTYPE, "");   // the editor moves by characters
	const AnswerInterrupts interrupts;
	LineEditor editor;
	if (!quiet) fmt::print("Chat ({} format). Ctrl-C stops an answer, Ctrl-D or /bye ends, /clear begins anew, \"\"\" begins and ends several lines.\n", chat.formatName());
	int code = kDone;
	while (auto line = editor.read()) {
		if (*line == "/bye" || *line == "/exit") break;
		if (*line == "/clear") {
			chat.clear();
			continue;
		}
		if (line->starts_with("\"\"\"")) {
			std::string text = line->substr(3);
			while (!text.ends_with("\"\"\"")) {
				const auto more = editor.read();
				if (!more) break;
				text += "\n" + *more;
			}
			if (text.ends_with("\"\"\"")) text.resize(text.size() - 3);
			line = text;
		}
		if (line->find_first_not_of(" \t\n") == std::string::npos) continue;
		if (!isUtf8(*line)) {
			fmt::print(stderr, "vkrun: that line is not UTF-8\n");
			continue;
		}
		stop_answer = false;
		const auto show = [](std::string_view text) {
			fmt::print("{}", text);
			std::fflush(stdout);
		};
		const auto answer = chat.ask(session, sampler, *line, options, show, [] { return stop_answer.load(); });
		stop_answer = false;
		fmt::print("\n");
		if (answer) {
			if (answer->reason == StopReason::ContextFull) fmt::print(stderr, "vkrun: the context of {} tokens is full; /clear begins anew\n", formatExact(session.context()));
			continue;
		}
		code = report("vkrun", answer.error());
		if (answer.error().code != ErrorCode::kUsage) return code;
		code = kDone;   // the user can go on
	}
	return code;
}

}  // namespace vkq::tools
