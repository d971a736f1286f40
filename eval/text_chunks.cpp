#include "eval/text_chunks.h"

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
