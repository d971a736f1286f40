#include "ggufio/pre_tokenizer.h"

#include <array>
#include <string>
#include <vector>

namespace vkq {

namespace {

/// Steps of a pre-tokenizer, as text: a Split's pattern behind "split ", "digits", "bytes" (ByteLevel), "bytes+gpt2"
/// (ByteLevel with its own pattern), or the name of another type.
std::vector<std::string> stepsOf(const Json& pre_tokenizer) {
	const std::string type = stringMember(pre_tokenizer, "type").value_or("");
	if (type == "Sequence") {
		std::vector<std::string> steps;
		const Json* list = member(pre_tokenizer, "pretokenizers");
		if (!list || !list->is_array()) return steps;
		for (const Json& step : *list)
			for (std::string& text : stepsOf(step)) steps.push_back(std::move(text));
		return steps;
	}
	if (type == "Split") {
		const Json* pattern = member(pre_tokenizer, "pattern");
		return {"split " + (pattern ? stringMember(*pattern, "Regex").value_or("") : "")};
	}
	if (type == "ByteLevel") return {boolMember(pre_tokenizer, "use_regex").value_or(true) ? "bytes+gpt2" : "bytes"};
	if (type == "Digits") return {boolMember(pre_tokenizer, "individual_digits").value_or(false) ? "digits" : "digit runs"};
	return {type};
}

/// English contractions begin most patterns, written in one of these ways that match the same.
constexpr std::array<std::string_view, 3> kContractions{
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d))", R"('(?i:[sdmt]|ll|ve|re))", R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))"};

/// The pattern with its contractions, wherever they are, replaced by @.
std::string normalized(std::string pattern) {
	for (const std::string_view form : kContractions)
		for (size_t at = pattern.find(form); at != pattern.npos; at = pattern.find(form, at)) pattern.replace(at, form.size(), "@");
	return pattern;
}

struct Known {
	std::string_view name;
	std::vector<std::string_view> steps;   // a step that ends in ... stands for all that begin like it
};

const std::vector<Known>& knownPreTokenizers() {
	static const std::vector<Known> known{
	    {"llama-bpe", {R"(split @|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", "bytes"}},
	    {"qwen2", {R"(split @|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", "bytes"}},
	    {"qwen35", {R"(split @|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", "bytes"}},
	    {"tekken",
	     {R"(split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
	      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
	      R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
	      "bytes"}},
	    {"gpt-4o",
	     {R"(split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+@?|)"
	      R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*@?|)"
	      R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
	      "bytes"}},
	    {"gpt-2", {"bytes+gpt2"}},
	    {"gpt-2", {R"(split 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "bytes"}},
	    {"smollm", {"digits", "bytes+gpt2"}},
	    {"deepseek-llm",
	     {R"(split [\r\n])", R"(split \s?[A-Za-z...)", R"(split \s?[!-/:-~...)", R"(split \s+$)", "split [一-龥ࠀ-一가-퟿]+", "digits", "bytes"}},
	    {"deepseek-coder", {R"(split [\r\n])", R"(split \s?\p{L}+)", R"(split \s?\p{P}+)", "split [一-龥ࠀ-一가-퟿]+", "digits", "bytes"}},
	    {"deepseek-v3", {R"(split \p{N}{1,3})", "split [一-龥぀-ゟ゠-ヿ]+", R"(split [!"#$%&'()*+,\-./...)", "bytes"}},
	};
	return known;
}

bool matches(std::string_view step, std::string_view pattern) {
	if (!pattern.ends_with("...")) return step == pattern;
	pattern.remove_suffix(3);
	return step.starts_with(pattern);
}

}  // namespace

std::optional<std::string_view> preTokenizerName(const Json& tokenizer) {
	const Json* pre_tokenizer = member(tokenizer, "pre_tokenizer");
	if (!pre_tokenizer) return std::nullopt;
	std::vector<std::string> steps = stepsOf(*pre_tokenizer);
	for (std::string& step : steps) step = normalized(std::move(step));

	for (const Known& known : knownPreTokenizers()) {
		if (known.steps.size() != steps.size()) continue;
		bool same = true;
		for (size_t i = 0; i < steps.size(); ++i) same = same && matches(steps[i], known.steps[i]);
		if (!same) continue;
		// Llama 3 takes words of the vocabulary whole before it merges; the same pattern without that goes by another name.
		const Json* model = member(tokenizer, "model");
		if (known.name == "llama-bpe" && !(model && boolMember(*model, "ignore_merges").value_or(false))) return "dbrx";
		return known.name;
	}
	return std::nullopt;
}

}  // namespace vkq
