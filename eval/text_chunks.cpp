#include "eval/text_chunks.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace vkq {

TextChunks chunksOf(const Tokenizer& tokenizer, std::vector<Token> tokens, uint32_t context) {
	TextChunks chunks{context, tokens, std::move(tokens)};
	const TokenizerVocabulary& vocabulary = tokenizer.vocabulary();
	if (vocabulary.add_bos && vocabulary.bos != kNoToken)
		for (size_t first = 0; first < chunks.tokens.size(); first += context) chunks.tokens[first] = vocabulary.bos;
	return chunks;
}

Result<void> checkSameVocabulary(const Tokenizer& model, const Tokenizer& original) {
	const TokenizerVocabulary &ours = model.vocabulary(), &theirs = original.vocabulary();
	const char* const hint = "compare a model with the original that it was made from";
	if (ours.size() != theirs.size())
		return fail(ErrorCode::kInvalidData, fmt::format("the model has {} tokens and the original {}: they cannot be compared", ours.size(), theirs.size()), hint);
	const auto [here, there] = std::mismatch(ours.texts.begin(), ours.texts.end(), theirs.texts.begin());
	if (here != ours.texts.end())
		return fail(ErrorCode::kInvalidData, fmt::format("the vocabularies differ: token {} is {} in the model and {} in the original", here - ours.texts.begin(), quote(*here), quote(*there)), hint);
	const auto beginning = [](const TokenizerVocabulary& vocabulary) { return vocabulary.add_bos ? vocabulary.bos : kNoToken; };
	if (beginning(ours) != beginning(theirs)) return fail(ErrorCode::kInvalidData, "the model and the original begin texts with different tokens", hint);
	return {};
}

Result<TextChunks> cutChunks(const Tokenizer& tokenizer, std::string_view text, uint32_t context, uint32_t max_chunks) {
	if (context < 4) return fail(ErrorCode::kUsage, fmt::format("a context of {} tokens is too small to score", context), "use --ctx 512");
	VKQ_TRY(std::vector<Token> tokens, tokenizer.encode(text));
	if (tokens.size() < 2 * size_t(context))
		return fail(ErrorCode::kInvalidData, fmt::format("the text has {} tokens; chunks of {} need at least {}", tokens.size(), context, 2 * context),
		            "take a longer text, or a smaller --ctx");
	uint64_t count = tokens.size() / context;
	if (max_chunks) count = std::min<uint64_t>(count, max_chunks);
	tokens.resize(count * context);
	return chunksOf(tokenizer, std::move(tokens), context);
}

}  // namespace vkq
