// A text cut into chunks as the reference's perplexity tool does, so that figures compare.
//
// The text is tokenized once, as a whole; chunks are `context` tokens, do not overlap, and what is left at the end is dropped. Where the model
// begins texts with a token (add_bos), that takes the place of each chunk's first. Only the second half of a chunk is scored: positions
// context/2 .. context-2 predict the token after them, so that every prediction has at least half a context before it.
#pragma once

#include "core/result.h"
#include "infer/tokenizer.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vkq {

struct TextChunks {
	uint32_t context = 0;                // tokens a chunk
	std::vector<Token> tokens;           // chunk after chunk, as fed to the model
	std::vector<Token> original;         // the same before beginnings were put in: what a base-logits file keeps

	uint32_t count() const { return context ? uint32_t(tokens.size() / context) : 0; }
	std::span<const Token> chunk(uint32_t index) const { return std::span(tokens).subspan(size_t(index) * context, context); }
	uint32_t firstScored() const { return context / 2; }
	uint32_t scoredPerChunk() const { return context - 1 - context / 2; }
};

/// At most `max_chunks` (0: all). kInvalidData when the text has fewer than two chunks' tokens: the figure would mean nothing.
Result<TextChunks> cutChunks(const Tokenizer& tokenizer, std::string_view text, uint32_t context, uint32_t max_chunks);

/// kInvalidData unless both number the same tokens alike and begin texts alike: what one predicts means nothing to the other else.
Result<void> checkSameVocabulary(const Tokenizer& model, const Tokenizer& original);

/// Chunks of tokens, such as a base-logits file holds.
TextChunks chunksOf(const Tokenizer& tokenizer, std::vector<Token> tokens, uint32_t context);

}  // namespace vkq
