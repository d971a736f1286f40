// Byte-level byte-pair encoding: a text is cut into words, each word starts as its bytes, and the adjacent pair of lowest
// rank (ties: the leftmost) merges until no pair has a rank.
#pragma once

#include "core/result.h"
#include "infer/tokenizer_pattern.h"
#include "infer/tokenizer_vocabulary.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace vkq {

/// Pair of tokens -> rank and the token that they merge to. Open addressing, read-only after loading.
class MergeTable {
public:
	struct Merge {
		uint32_t rank;
		Token result;
	};

	void reserve(size_t merges);
	void insert(Token left, Token right, Merge merge);   // the first rank of a pair stays
	const Merge* find(Token left, Token right) const;    // null: the pair does not merge

private:
	struct Slot {
		uint64_t pair;
		Merge merge;
	};
	std::vector<Slot> slots_;
};

class BytePairEncoder {
public:
	/// Reads tokenizer.ggml.merges. A merge of texts that are no tokens, or whose result is none, is an error.
	static Result<BytePairEncoder> create(const Metadata& metadata, const TokenizerVocabulary& vocabulary, std::string_view file);

	/// Appends the tokens of `text`, which holds no special tokens. Bytes that are not UTF-8 become U+FFFD, surrogates (as WTF-8
	/// writes them) stay, both as in the reference. n bytes take O(n log n) however long a word is.
	Result<void> encode(const TokenizerVocabulary& vocabulary, std::string_view text, std::vector<Token>& tokens) const;

private:
	explicit BytePairEncoder(WordSplitter splitter) : splitter_(std::move(splitter)) {}

	WordSplitter splitter_;
	MergeTable merges_;
};

}  // namespace vkq
