// Cutting special tokens out of a text before it is encoded.
//
// Control tokens (<|im_end|>, </s>) count only where the text is trusted to contain them: in what a chat template wrote, not in
// what a user typed. User-defined tokens count everywhere. Longer tokens are cut out first, wherever they stand; among equals
// the lower number; each from left to right: so in "abcd" the token "bcd" wins over "ab".
#pragma once

#include "core/result.h"
#include "infer/tokenizer_vocabulary.h"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace vkq {

/// Bytes [begin, end) of a text.
struct TextRange {
	uint32_t begin = 0, end = 0;
};

struct SpecialMatch {
	TextRange range;   // includes the white space that the token swallows
	Token token;
};

class SpecialTokens {
public:
	static Result<SpecialTokens> create(const TokenizerVocabulary& vocabulary, std::string_view file);

	/// The special tokens in `text` (< 2^31 bytes), in order, none overlapping. A control token must lie within one of the `trusted`
	/// ranges, which are in order and do not touch.
	std::vector<SpecialMatch> find(std::string_view text, std::span<const TextRange> trusted) const;

private:
	struct Special {
		std::string_view text;    // of TokenizerVocabulary::texts
		Token token;
		uint32_t priority;        // lower wins
		bool everywhere;          // user-defined
		bool strips_right;
	};
	struct Candidates;

	void collect(std::string_view text, std::span<const TextRange> trusted, std::vector<Candidates>& found) const;

	std::vector<Special> sorted_;                 // by text, so that a common beginning is a range
	std::array<TextRange, 256> by_first_byte_{};  // of sorted_
};

}  // namespace vkq
