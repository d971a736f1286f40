#include "ggufio/vocabulary.h"

#include <fmt/format.h>

namespace vkq {

namespace {

constexpr float kHoleScore = -10000.0f;
constexpr float kAddedScore = -1000.0f;
constexpr std::string_view kSpaceMark = "\xe2\x96\x81";   // U+2581, SentencePiece's space

std::string withSpaces(std::string text) {
	for (size_t at = text.find(kSpaceMark); at != text.npos; at = text.find(kSpaceMark, at + 1)) text.replace(at, kSpaceMark.size(), " ");
	return text;
}

}  // namespace

bool looksSpecial(std::string_view token) {
	const auto between = [&](std::string_view front, std::string_view end) {
		return token.size() >= front.size() + end.size() && token.starts_with(front) && token.ends_with(end);
	};
	constexpr std::string_view kWideFront = "<\xef\xbd\x9c", kWideEnd = "\xef\xbd\x9c>";   // U+FF5C, deepseek's bars
	return token == "<pad>" || token == "<mask>" || token == "<2mass>" || token == "[@BOS@]" || between("<|", "|>") || between(kWideFront, kWideEnd) ||
	       between("<unused", ">");
}

VocabularyDraft VocabularyDraft::ofHoles(std::string model, uint64_t count) {
	VocabularyDraft vocabulary;
	vocabulary.model = std::move(model);
	vocabulary.pre = "default";
	for (uint64_t id = 0; id < count; ++id) vocabulary.tokens.push_back(fmt::format("[PAD{}]", id));
	vocabulary.kinds.assign(count, GgmlTokenType::Unused);
	if (vocabulary.model == "llama") vocabulary.scores.assign(count, kHoleScore);
	return vocabulary;
}

uint64_t VocabularyDraft::add(const std::vector<AddedToken>& added) {
	uint64_t left_out = 0;
	for (const AddedToken& token : added) {
		if (token.id >= tokens.size()) {
			++left_out;
			continue;
		}
		const bool control = token.special || looksSpecial(token.text);
		kinds[token.id] = control ? GgmlTokenType::Control : GgmlTokenType::UserDefined;
		tokens[token.id] = control ? token.text : withSpaces(token.text);   // text is searched for them before spaces are marked
		if (!scores.empty()) scores[token.id] = kAddedScore;
	}
	return left_out;
}

}  // namespace vkq
