// SentencePiece as the "llama" tokenizers use it: a text starts as its characters, and the adjacent pair whose concatenation
// is the token of highest score (ties: the leftmost) merges until no pair is a token. Characters that are no token become
// their bytes' tokens.
#pragma once

#include "infer/tokenizer_vocabulary.h"

#include <string_view>
#include <vector>

namespace vkq {

class SentencePieceEncoder {
public:
	explicit SentencePieceEncoder(const TokenizerVocabulary& vocabulary);

	/// Appends the tokens of `text`, which holds no special tokens; spaces are plain spaces. Bytes that are not UTF-8 are encoded
	/// as bytes. n bytes take O(n log n).
	void encode(const TokenizerVocabulary& vocabulary, std::string_view text, std::vector<Token>& tokens) const;

private:
	/// No token has a space mark after anything but space marks: then no merge crosses the start of a word, words can be
	/// encoded one by one, and the tokens of those seen before are known.
	bool words_are_apart_ = true;
};

}  // namespace vkq
