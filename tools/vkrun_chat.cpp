#include "tools/vkrun_chat.h"

#include "core/units.h"
#include "infer/utf8.h"
#include "tools/common.h"

#include <fmt/format.h>
#include <histedit.h>

#include <algorithm>
#include <atomic>
#include <clocale>
#include <csignal>
#include <cstring>
#include <memory>

namespace vkq::tools {

namespace {

std::atomic<bool> stop_answer{false};
void onInterrupt(int) { stop_answer = true; }

/// While it lives, Ctrl-C sets stop_answer, every time.
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

/// What came of asking for a line.
struct Line {
	enum class End { Entered, Interrupted, EndOfInput } end = End::Entered;
	std::string text;   // of an entered line
};

/// While a line is edited Ctrl-C is a key like another: no signal comes of it, after which the editor's reader would only try again.
class LineEditor {
public:
	LineEditor() : history_(history_init()), editor_(el_init("vkrun", stdin, stdout, stderr)) {
		HistEvent event;
		history(history_, &event, H_SETSIZE, 1000);
		el_set(editor_, EL_CLIENTDATA, this);
		el_set(editor_, EL_PROMPT, +[](EditLine* editor) -> char* { return of(editor).prompt_; });
		el_set(editor_, EL_EDITOR, "emacs");
		el_set(editor_, EL_HIST, history, history_);
		el_set(editor_, EL_SIGNAL, 0);
		el_set(editor_, EL_SETTY, "-d", "-isig", nullptr);   // "-d": while editing; an answer is stopped by the signal
		el_set(editor_, EL_ADDFN, "vkrun-interrupt", "leave this line", &LineEditor::interrupt);
		el_set(editor_, EL_BIND, "^C", "vkrun-interrupt", nullptr);
	}
	LineEditor(const LineEditor&) = delete;
	LineEditor& operator=(const LineEditor&) = delete;
	~LineEditor() {
		el_end(editor_);
		history_end(history_);
	}

	/// `goes_on`: the line continues a text of several.
	Line read(bool goes_on = false) {
		std::strcpy(prompt_, goes_on ? "... " : ">>> ");
		interrupted_ = false;
		// el_gets() shows the prompt and prepares the terminal after it: a key that comes between would act as in the mode before.
		el_set(editor_, EL_PREP_TERM, 1);
		int count = 0;
		const char* line = el_gets(editor_, &count);
		if (interrupted_) {
			fmt::print("^C\n");
			return {Line::End::Interrupted, {}};
		}
		if (!line || count <= 0) return {Line::End::EndOfInput, {}};
		std::string text(line, size_t(count));
		while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
		HistEvent event;
		if (!text.empty()) history(history_, &event, H_ENTER, text.c_str());
		return {Line::End::Entered, std::move(text)};
	}

	/// A line, or all lines from one that begins with three quotation marks to one that ends with them, without the marks.
	Line readText() {
		constexpr std::string_view kMarks = "\"\"\"";
		Line line = read();
		if (line.end != Line::End::Entered || !line.text.starts_with(kMarks)) return line;
		line.text.erase(0, kMarks.size());
		while (!line.text.ends_with(kMarks)) {
			Line more = read(true);
			if (more.end != Line::End::Entered) return more;
			line.text += "\n" + more.text;
		}
		line.text.resize(line.text.size() - kMarks.size());
		return line;
	}

private:
	static LineEditor& of(EditLine* editor) {
		void* self = nullptr;
		el_get(editor, EL_CLIENTDATA, &self);
		return *static_cast<LineEditor*>(self);
	}

	static unsigned char interrupt(EditLine* editor, int) {
		of(editor).interrupted_ = true;
		const LineInfo* line = el_line(editor);
		el_cursor(editor, int(line->lastchar - line->cursor));   // what follows is printed after a line that may fill several
		el_set(editor, EL_REFRESH);
		return CC_NEWLINE;
	}

	History* history_;
	EditLine* editor_;
	char prompt_[8] = {};
	bool interrupted_ = false;
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
	for (;;) {
		const auto [end, text] = editor.readText();
		if (end == Line::End::EndOfInput) break;
		if (text == "/bye" || text == "/exit") break;
		if (text == "/clear") chat.clear();
		if (text == "/clear" || text.find_first_not_of(" \t\n") == std::string::npos) continue;
		if (!isUtf8(text)) {
			fmt::print(stderr, "vkrun: that line is not UTF-8\n");
			continue;
		}
		stop_answer = false;
		const auto show = [](std::string_view part) {
			fmt::print("{}", part);
			std::fflush(stdout);
		};
		const auto answer = chat.ask(session, sampler, text, options, show, [] { return stop_answer.load(); });
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
