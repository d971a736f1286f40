#include "infer/modelfile_template.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace vkq {

namespace {

enum class Field { kSystem, kPrompt, kResponse, kMessages, kRole, kContent, kNothing };
enum class Function { kEq, kNe, kAnd, kOr, kNot };

struct Expression {
	enum class Kind { kField, kLiteral, kCall } kind = Kind::kLiteral;
	Field field = Field::kNothing;
	Function function = Function::kNot;
	std::string literal;
	std::vector<Expression> arguments;
};

struct Node {
	enum class Kind { kText, kPrint, kIf, kRange } kind = Kind::kText;
	std::string text;
	Expression expression;          // what is printed, tested or ranged over
	std::vector<Node> body, otherwise;
};

/// The template cut into text and actions, trimming done.
struct Piece {
	bool action = false;
	std::string text;               // an action's without braces and trim marks
	size_t line = 1;
};

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimLeft(std::string_view text) { return text.substr(std::min(text.find_first_not_of(kSpace), text.size())); }
std::string_view trimRight(std::string_view text) { return text.substr(0, text.find_last_not_of(kSpace) + 1); }

/// Where an action's "}}" lies, strings and comments skipped.
size_t findActionEnd(std::string_view text, size_t at) {
	for (char quote = 0; at < text.size(); ++at) {
		if (quote) {
			if (text[at] == '\\' && quote == '"') {
				++at;
			} else if (text[at] == quote) {
				quote = 0;
			}
		} else if (text[at] == '"' || text[at] == '`') {
			quote = text[at];
		} else if (text.substr(at).starts_with("/*")) {
			const size_t end = text.find("*/", at + 2);
			if (end == std::string_view::npos) return end;
			at = end + 1;
		} else if (text.substr(at).starts_with("}}")) {
			return at;
		}
	}
	return std::string_view::npos;
}

Result<std::vector<Piece>> cut(std::string_view text) {
	std::vector<Piece> pieces;
	bool trim_next = false;
	for (size_t at = 0, line = 1;;) {
		const size_t open = std::min(text.find("{{", at), text.size());
		std::string_view plain = text.substr(at, open - at);
		const size_t action_line = line + size_t(std::count(plain.begin(), plain.end(), '\n'));
		const bool trims_before = open + 3 < text.size() && text[open + 2] == '-' && kSpace.find(text[open + 3]) != std::string_view::npos;
		if (trim_next) plain = trimLeft(plain);
		if (trims_before) plain = trimRight(plain);
		if (!plain.empty()) pieces.push_back({false, std::string(plain), line});
		if (open == text.size()) return pieces;
		const size_t start = open + (trims_before ? 3 : 2), close = findActionEnd(text, start);
		if (close == std::string_view::npos) return fail(ErrorCode::kMalformed, fmt::format("TEMPLATE, line {}: an action {{{{ does not end", action_line));
		std::string_view action = text.substr(start, close - start);
		line = action_line + size_t(std::count(action.begin(), action.end(), '\n'));
		trim_next = action.size() >= 2 && action.back() == '-' && kSpace.find(action[action.size() - 2]) != std::string_view::npos;
		if (trim_next) action.remove_suffix(1);
		pieces.push_back({true, std::string(trimLeft(trimRight(action))), action_line});
		at = close + 2;
	}
}

/// Recursive descent over pieces; within an action, over its words.
class Parser {
public:
	explicit Parser(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}

	Result<std::vector<Node>> parseTemplate() {
		VKQ_TRY(std::vector<Node> nodes, parseNodes(false, 0));
		if (next_ < pieces_.size()) return unsupported("it closes nothing");
		return nodes;
	}

private:
	static constexpr int kMaxDepth = 64;

	Error unsupported(std::string_view why) const {
		const Piece& piece = pieces_[std::min(next_, pieces_.size() - 1)];
		return fail(ErrorCode::kUnsupported,
		            fmt::format("TEMPLATE, line {}: unsupported template construct {{{{ {} }}}}: {}", piece.line, printable(piece.text, 96), why),
		            "known are if, else, end, range .Messages, eq, ne, and, or, not and the fields of a chat");
	}

	/// The words of the current action: names, fields, strings, parentheses.
	Result<std::vector<std::string>> words() const {
		std::vector<std::string> all;
		const std::string_view text = pieces_[next_].text;
		for (size_t at = 0; at < text.size();) {
			const char c = text[at];
			if (kSpace.find(c) != std::string_view::npos) {
				++at;
			} else if (c == '(' || c == ')') {
				all.emplace_back(1, c);
				++at;
			} else if (c == '"' || c == '`') {
				std::string literal = "\"";  // marks a string among words
				size_t end = at + 1;
				for (; end < text.size() && text[end] != c; ++end) {
					if (c == '`' || text[end] != '\\') {
						literal += text[end];
						continue;
					}
					const size_t escape = std::string_view("nrt\\\"").find(text[++end]);
					if (escape == std::string_view::npos) return unsupported("an escape in a string is not known");
					literal += "\n\r\t\\\""[escape];
				}
				all.push_back(std::move(literal));
				at = end + 1;
			} else {
				const size_t end = std::min(text.find_first_of(" \t\r\n()\"`", at), text.size());
				all.emplace_back(text.substr(at, end - at));
				at = end;
			}
		}
		return all;
	}

	Result<Expression> parseField(std::string_view word, bool in_range) const {
		const bool root = word.starts_with("$.");
		const std::string_view name = word.substr(root ? 2 : 1);
		constexpr std::pair<std::string_view, Field> outer[] = {{"System", Field::kSystem}, {"Prompt", Field::kPrompt}, {"Response", Field::kResponse},
		                                                        {"Messages", Field::kMessages}, {"Tools", Field::kNothing}, {"Suffix", Field::kNothing}};
		constexpr std::pair<std::string_view, Field> inner[] = {{"Role", Field::kRole}, {"Content", Field::kContent}, {"ToolCalls", Field::kNothing}};
		const auto among = [&](const auto& fields) -> std::optional<Field> {
			for (const auto& [known, field] : fields)
				if (name == known) return field;
			return std::nullopt;
		};
		const auto field = root || !in_range ? among(outer) : among(inner);
		if (!field) return unsupported(fmt::format("{} is not known here", printable(word, 40)));
		return Expression{.kind = Expression::Kind::kField, .field = *field, .literal = {}, .arguments = {}};
	}

	/// One operand: a field, a string, a parenthesis.
	Result<Expression> parseOperand(const std::vector<std::string>& words, size_t& at, bool in_range, int depth) const {
		if (at >= words.size()) return unsupported("something is missing");
		if (depth > kMaxDepth) return unsupported("it is nested too deeply");
		const std::string& word = words[at++];
		if (word[0] == '"') return Expression{.literal = word.substr(1), .arguments = {}};
		if (word == "(") {
			VKQ_TRY(Expression inside, parseExpression(words, at, in_range, depth + 1));
			if (at >= words.size() || words[at++] != ")") return unsupported("a parenthesis does not close");
			return inside;
		}
		if (word[0] == '.' || word.starts_with("$.")) return parseField(word, in_range);
		return unsupported(fmt::format("{} is not known", printable(word, 40)));
	}

	/// A function with its operands, or one operand.
	Result<Expression> parseExpression(const std::vector<std::string>& words, size_t& at, bool in_range, int depth) const {
		constexpr std::pair<std::string_view, Function> functions[] = {
			{"eq", Function::kEq}, {"ne", Function::kNe}, {"and", Function::kAnd}, {"or", Function::kOr}, {"not", Function::kNot}};
		for (const auto& [name, function] : functions) {
			if (at >= words.size() || words[at] != name) continue;
			++at;
			Expression call{.kind = Expression::Kind::kCall, .function = function, .literal = {}, .arguments = {}};
			while (at < words.size() && words[at] != ")") {
				VKQ_TRY(Expression argument, parseOperand(words, at, in_range, depth));
				call.arguments.push_back(std::move(argument));
			}
			const size_t count = call.arguments.size();
			const bool fits = function == Function::kNot ? count == 1 : function == Function::kNe ? count == 2 : function == Function::kEq ? count >= 2 : count >= 1;
			if (!fits) return unsupported(fmt::format("{} does not take {} operands", name, count));
			return call;
		}
		return parseOperand(words, at, in_range, depth);
	}

	Result<Expression> parseWhole(const std::vector<std::string>& words, size_t at, bool in_range) const {
		VKQ_TRY(Expression expression, parseExpression(words, at, in_range, 0));
		if (at < words.size()) return unsupported(fmt::format("{} is one word too many", printable(words[at], 40)));
		return expression;
	}

	Result<Node> parseBlock(Node::Kind kind, const std::vector<std::string>& words, size_t expression_at, bool in_range, int depth) {
		Node node;
		node.kind = kind;
		VKQ_TRY(node.expression, parseWhole(words, expression_at, in_range));
		const bool over_messages = node.expression.kind == Expression::Kind::kField && node.expression.field == Field::kMessages;
		if (kind == Node::Kind::kRange && !over_messages) return unsupported("only .Messages can be ranged over");
		const size_t line = pieces_[next_].line;
		++next_;
		VKQ_TRY(node.body, parseNodes(in_range || kind == Node::Kind::kRange, depth + 1));
		const auto unfinished = [&] { return fail(ErrorCode::kMalformed, fmt::format("TEMPLATE, line {}: an if or range has no end", line)); };
		if (next_ >= pieces_.size()) return unfinished();
		VKQ_TRY(const std::vector<std::string> closing, this->words());
		if (closing[0] == "else" && closing.size() > 1) {
			if (closing[1] != "if" || kind != Node::Kind::kIf) return unsupported("this else is not known");
			VKQ_TRY(Node other, parseBlock(Node::Kind::kIf, closing, 2, in_range, depth + 1));  // takes the end for both
			node.otherwise.push_back(std::move(other));
			return node;
		}
		if (closing[0] == "else") {
			++next_;
			VKQ_TRY(node.otherwise, parseNodes(in_range, depth + 1));
			if (next_ >= pieces_.size()) return unfinished();
		}
		if (pieces_[next_].text != "end") return unsupported("an end was expected");
		++next_;
		return node;
	}

	/// Up to the end of the template or the else or end that closes the block.
	Result<std::vector<Node>> parseNodes(bool in_range, int depth) {
		std::vector<Node> nodes;
		if (depth > kMaxDepth) return unsupported("it is nested too deeply");
		for (; next_ < pieces_.size();) {
			const Piece& piece = pieces_[next_];
			if (!piece.action) {
				nodes.push_back({.kind = Node::Kind::kText, .text = piece.text, .expression = {}, .body = {}, .otherwise = {}});
				++next_;
				continue;
			}
			if (piece.text.starts_with("/*") && piece.text.ends_with("*/")) {
				++next_;
				continue;
			}
			VKQ_TRY(const std::vector<std::string> words, this->words());
			if (words.empty()) return unsupported("it is empty");
			if (words[0] == "end" || words[0] == "else") return nodes;
			if (words[0] == "if" || words[0] == "range") {
				VKQ_TRY(Node block, parseBlock(words[0] == "if" ? Node::Kind::kIf : Node::Kind::kRange, words, 1, in_range, depth));
				nodes.push_back(std::move(block));
				continue;
			}
			VKQ_TRY(Expression printed, parseWhole(words, 0, in_range));
			if (printed.kind == Expression::Kind::kField && printed.field == Field::kMessages) return unsupported("a list cannot be printed");
			nodes.push_back({.kind = Node::Kind::kPrint, .text = {}, .expression = std::move(printed), .body = {}, .otherwise = {}});
			++next_;
		}
		return nodes;
	}

	std::vector<Piece> pieces_;
	size_t next_ = 0;
};

bool mentions(const Expression& expression, Field field) {
	if (expression.kind == Expression::Kind::kField && expression.field == field) return true;
	return std::any_of(expression.arguments.begin(), expression.arguments.end(), [&](const Expression& argument) { return mentions(argument, field); });
}

bool mentions(const std::vector<Node>& nodes, Field field) {
	return std::any_of(nodes.begin(), nodes.end(), [&](const Node& node) {
		return mentions(node.expression, field) || mentions(node.body, field) || mentions(node.otherwise, field);
	});
}

/// What one execution of the template sees.
struct Scope {
	std::string system, prompt, response;
	std::span<const ChatMessage> messages;
	bool stops_at_response = false;   // the model continues there
};

/// Strings, lists (true when not empty) and truth values; only strings and truth values are ever printed.
struct Value {
	std::string_view text;
	bool truth = false;
	bool is_text = false;
};

class Execution {
public:
	Execution(const Scope& scope, SegmentWriter& out) : scope_(scope), out_(out) {}

	void run(const std::vector<Node>& nodes, const ChatMessage* message = nullptr) {
		for (const Node& node : nodes) {
			if (stopped_) return;
			switch (node.kind) {
				case Node::Kind::kText: out_.writeTemplate(node.text); break;
				case Node::Kind::kPrint: print(node.expression, message); break;
				case Node::Kind::kIf: run(evaluate(node.expression, message).truth ? node.body : node.otherwise, message); break;
				case Node::Kind::kRange:
					if (scope_.messages.empty()) run(node.otherwise, message);
					for (const ChatMessage& each : scope_.messages) run(node.body, &each);
					break;
			}
		}
	}

private:
	static Value ofText(std::string_view text) { return {text, !text.empty(), true}; }
	static Value ofTruth(bool truth) { return {truth ? "true" : "false", truth, false}; }

	void print(const Expression& expression, const ChatMessage* message) {
		if (scope_.stops_at_response && expression.kind == Expression::Kind::kField && expression.field == Field::kResponse) {
			stopped_ = true;
		} else if (expression.kind == Expression::Kind::kLiteral) {
			out_.writeTemplate(expression.literal);
		} else {
			out_.writeContent(evaluate(expression, message).text);
		}
	}

	Value evaluate(const Expression& expression, const ChatMessage* message) const {
		if (expression.kind == Expression::Kind::kLiteral) return ofText(expression.literal);
		if (expression.kind == Expression::Kind::kCall) return call(expression, message);
		switch (expression.field) {
			case Field::kSystem: return ofText(scope_.system);
			case Field::kPrompt: return ofText(scope_.prompt);
			case Field::kResponse: return ofText(scope_.response);
			case Field::kRole: return ofText(message->role);
			case Field::kContent: return ofText(message->content);
			case Field::kMessages: return {{}, !scope_.messages.empty(), false};
			case Field::kNothing: break;
		}
		return ofText({});
	}

	Value call(const Expression& expression, const ChatMessage* message) const {
		const auto operand = [&](size_t i) { return evaluate(expression.arguments[i], message); };
		const auto equal = [](const Value& a, const Value& b) { return a.is_text == b.is_text && a.text == b.text; };
		const size_t count = expression.arguments.size();
		switch (expression.function) {
			case Function::kNot: return ofTruth(!operand(0).truth);
			case Function::kNe: return ofTruth(!equal(operand(0), operand(1)));
			case Function::kEq: {
				bool any = false;  // eq a b c: a is b or c
				for (size_t i = 1; i < count; ++i) any |= equal(operand(0), operand(i));
				return ofTruth(any);
			}
			case Function::kAnd:
			case Function::kOr: break;
		}
		// Go's and/or give the operand that decides.
		const bool decisive = expression.function == Function::kOr;
		for (size_t i = 0; i + 1 < count; ++i)
			if (const Value value = operand(i); value.truth == decisive) return value;
		return operand(count - 1);
	}

	const Scope& scope_;
	SegmentWriter& out_;
	bool stopped_ = false;
};

void append(std::string& text, std::string_view more) {
	if (!text.empty()) text += "\n\n";
	text += more;
}

}  // namespace

struct ModelfileTemplate::Impl {
	std::vector<Node> nodes;
	bool whole_chat = false;
};

ModelfileTemplate::ModelfileTemplate(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelfileTemplate::ModelfileTemplate(ModelfileTemplate&&) noexcept = default;
ModelfileTemplate& ModelfileTemplate::operator=(ModelfileTemplate&&) noexcept = default;
ModelfileTemplate::~ModelfileTemplate() = default;

Result<ModelfileTemplate> ModelfileTemplate::parse(std::string_view text) {
	auto impl = std::make_unique<Impl>();
	VKQ_TRY(std::vector<Piece> pieces, cut(text));
	if (pieces.empty()) return fail(ErrorCode::kMalformed, "TEMPLATE is empty");
	VKQ_TRY(impl->nodes, Parser(std::move(pieces)).parseTemplate());
	impl->whole_chat = mentions(impl->nodes, Field::kMessages);
	if (!impl->whole_chat && !mentions(impl->nodes, Field::kResponse)) {
		Node response;  // answers follow the template where it does not place them
		response.kind = Node::Kind::kPrint;
		response.expression.kind = Expression::Kind::kField;
		response.expression.field = Field::kResponse;
		impl->nodes.push_back(std::move(response));
	}
	return ModelfileTemplate(std::move(impl));
}

Result<std::vector<TextSegment>> ModelfileTemplate::render(std::span<const ChatMessage> messages, const ChatOptions& options) const {
	if (messages.empty()) return fail(ErrorCode::kUsage, "a chat needs at least one message");
	for (const ChatMessage& message : messages)
		if (message.role != "system" && message.role != "user" && message.role != "assistant")
			return fail(ErrorCode::kUsage, fmt::format("the role {} is none of system, user and assistant", quote(message.role)));
	SegmentWriter out;
	Scope scope;
	const auto execute = [&] { Execution(scope, out).run(impl_->nodes); };
	if (impl_->whole_chat) {
		scope.messages = messages;
		scope.stops_at_response = options.add_generation_prompt;
		for (const ChatMessage& message : messages)
			if (message.role == "system") append(scope.system, message.content);
		execute();
		return out.finish();
	}
	bool answered = false;
	for (const ChatMessage& message : messages) {
		if (message.role == "assistant") {
			append(scope.response, message.content);
			answered = true;
			continue;
		}
		if (answered || (message.role == "system" && !scope.prompt.empty())) {
			execute();
			scope = Scope();
			answered = false;
		}
		append(message.role == "system" ? scope.system : scope.prompt, message.content);
	}
	scope.stops_at_response = options.add_generation_prompt && !answered;
	execute();
	return out.finish();
}

}  // namespace vkq
