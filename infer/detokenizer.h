// Tokens to text for display, one at a time: a character appears when its last byte has come.
#pragma once

#include "infer/tokenizer.h"

#include <string>

namespace vkq {

/// The text it gives is UTF-8 always: bytes that can belong to no character become U+FFFD. The tokenizer must outlive it.
class Detokenizer {
public:
	struct Options {
		bool show_control = false;    // print <|im_end|> and the like
		/// The tokens begin a text: SentencePiece's added space is dropped. Unset to continue a prompt.
		bool at_start = false;
	};

	Detokenizer(const Tokenizer& tokenizer, Options options) : tokenizer_(tokenizer), options_(options) {}
	explicit Detokenizer(const Tokenizer& tokenizer) : Detokenizer(tokenizer, Options{}) {}

	/// What can be shown now; may be empty.
	std::string push(Token token);

	/// What is left when no token follows: the beginning of a character that never ended, as U+FFFD.
	std::string finish();

private:
	const Tokenizer& tokenizer_;
	Options options_;
	std::string pending_;   // at most 3 bytes between calls
};

}  // namespace vkq
