#include "ggufio/modelfile.h"

#include "core/text.h"
#include "ggufio/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vkq {

namespace {

constexpr uint64_t kMaxBytes = uint64_t(16) << 20;
constexpr std::string_view kBlank = " \t\r";
constexpr std::string_view kTripleQuote = R"(""")";

std::string_view trimmed(std::string_view text) {
	const size_t first = text.find_first_not_of(kBlank);
	if (first == text.npos) return {};
	return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string lowered(std::string_view text) {
	std::string out(text);
	std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	return out;
}

/// Lines of a text, and where one is.
class Lines {
public:
	Lines(std::string_view text, std::string_view name) : rest_(text), name_(name) {}

	std::optional<std::string_view> next() {
		if (ended_) return std::nullopt;
		const size_t end = rest_.find('\n');
		const std::string_view line = rest_.substr(0, end);
		ended_ = end == rest_.npos;
		rest_.remove_prefix(ended_ ? rest_.size() : end + 1);
		++number_;
		return line;
	}

	Error wrong(std::string reason) const { return fail(ErrorCode::kMalformed, fmt::format("{}: line {}: {}", name_, number_, std::move(reason))); }

	/// A value that begins on this line with `first`, and may go on over the next ones when it is quoted.
	Result<std::string> value(std::string_view first) {
		first = trimmed(first);
		const std::string_view quotes = first.starts_with(kTripleQuote) ? kTripleQuote : first.starts_with('"') ? kTripleQuote.substr(0, 1) : "";
		if (quotes.empty()) return std::string(first);
		first.remove_prefix(quotes.size());
		std::string text;
		const uint64_t begun = number_;
		for (std::string_view line = first;;) {
			const std::string_view end = trimmed(line);
			if (end.ends_with(quotes)) {
				// Blanks before the closing quotes belong to the value.
				const size_t length = size_t(end.data() - line.data()) + end.size() - quotes.size();
				return text.append(line.substr(0, length));
			}
			if (const size_t closed = line.find(quotes); quotes == kTripleQuote && closed != line.npos)
				return wrong(fmt::format("{} follows the closing quotes", quote(trimmed(line.substr(closed + quotes.size())))));
			text.append(line).push_back('\n');
			const auto following = next();
			if (!following) {
				number_ = begun;
				return wrong("the quotes are never closed");
			}
			line = *following;
		}
	}

private:
	std::string_view rest_, name_;
	uint64_t number_ = 0;
	bool ended_ = false;
};

/// The first word, and what follows it.
std::pair<std::string_view, std::string_view> firstWord(std::string_view text) {
	text = trimmed(text);
	const size_t end = std::min(text.find_first_of(kBlank), text.size());
	return {text.substr(0, end), text.substr(end)};
}

Result<void> readCommand(std::string_view line, Lines& lines, Modelfile& modelfile) {
	const auto [word, rest] = firstWord(line);
	const std::string command = lowered(word);

	if (command == "parameter" || command == "message") {
		const auto [name, value] = firstWord(rest);
		if (trimmed(value).empty()) return lines.wrong(fmt::format("{} needs a name and a value", command == "message" ? "MESSAGE" : "PARAMETER"));
		const std::string key(name);
		VKQ_TRY(std::string text, lines.value(value));
		(command == "message" ? modelfile.messages : modelfile.parameters).emplace_back(key, std::move(text));
		return {};
	}
	VKQ_TRY(std::string text, lines.value(rest));
	if (command == "from") {
		if (!modelfile.from.empty()) return lines.wrong("FROM is given twice");
		if (text.empty()) return lines.wrong("FROM needs a path");
		modelfile.from = std::move(text);
	} else if (command == "template") {
		modelfile.chat_template = std::move(text);
	} else if (command == "system") {
		modelfile.system = std::move(text);
	} else if (command == "adapter") {
		modelfile.adapters.push_back(std::move(text));
	} else if (command == "license") {
		modelfile.licenses.push_back(std::move(text));
	} else {
		return lines.wrong(fmt::format("{} is no command of a Modelfile", quote(word)));
	}
	return {};
}

/// Quoted where a bare value would not come back the same.
Result<std::string> quotedValue(std::string_view text, bool always) {
	const bool hard = text.find_first_of("\"\n") != text.npos;
	if (!always && !hard && !text.empty() && trimmed(text) == text) return std::string(text);
	// A single quote at a line's end would close the value early.
	if (!hard) return fmt::format("\"{}\"", text);
	if (text.find(kTripleQuote) != text.npos || text.ends_with('"'))
		return fail(ErrorCode::kUnsupported, fmt::format("a Modelfile cannot hold the text {}", quote(text)));
	return fmt::format("{}{}{}", kTripleQuote, text, kTripleQuote);
}

}  // namespace

std::optional<std::string_view> Modelfile::parameter(std::string_view name) const {
	const auto found = std::find_if(parameters.rbegin(), parameters.rend(), [&](const auto& entry) { return entry.first == name; });
	return found == parameters.rend() ? std::nullopt : std::optional<std::string_view>(found->second);
}

Result<Modelfile> parseModelfile(std::string_view text, std::string_view name) {
	Modelfile modelfile;
	Lines lines(text, name);
	while (const auto line = lines.next()) {
		const std::string_view content = trimmed(*line);
		if (content.empty() || content.starts_with('#')) continue;
		VKQ_CHECK(readCommand(content, lines, modelfile));
	}
	if (modelfile.from.empty()) return fail(ErrorCode::kMalformed, fmt::format("{}: has no FROM", name));
	return modelfile;
}

Result<Modelfile> readModelfile(const std::filesystem::path& path) {
	VKQ_TRY(const std::string text, readText(path, kMaxBytes));
	return parseModelfile(text, path.string());
}

Result<std::string> modelfileText(const Modelfile& modelfile) {
	std::string text;
	const auto command = [&](std::string_view word, std::string_view value, bool always) -> Result<void> {
		VKQ_TRY(const std::string written, quotedValue(value, always));
		text += fmt::format("{} {}\n", word, written);
		return {};
	};
	VKQ_CHECK(command("FROM", modelfile.from, false));
	for (const std::string& adapter : modelfile.adapters) VKQ_CHECK(command("ADAPTER", adapter, false));
	if (modelfile.chat_template) VKQ_CHECK(command("TEMPLATE", *modelfile.chat_template, true));
	if (modelfile.system) VKQ_CHECK(command("SYSTEM", *modelfile.system, true));
	for (const auto& [name, value] : modelfile.parameters) VKQ_CHECK(command("PARAMETER " + name, value, name == "stop"));
	for (const auto& [role, content] : modelfile.messages) VKQ_CHECK(command("MESSAGE " + role, content, true));
	for (const std::string& license : modelfile.licenses) VKQ_CHECK(command("LICENSE", license, true));
	return text;
}

}  // namespace vkq
