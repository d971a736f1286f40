// Text to tokens and back, as the model's GGUF file says (tokenizer.ggml.*): byte-level byte pairs ("gpt2") and
// SentencePiece ("llama"). Token for token what llama.cpp gives.
//
// Non-goals: WordPiece, Unigram, RWKV and the other tokenizers of embedding and encoder models; Unicode normalization.
// Thread rules: const use from many threads.
#pragma once

#include "core/result.h"
#include "ggufio/metadata.h"
#include "infer/tokenizer_vocabulary.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// A stretch of a prompt. Control tokens are recognized only where parse_special is set: in what a template wrote, not in what
/// a user typed, so that a typed "<|im_end|>" ends nothing. Segments are encoded as one text: a word may span two of them.
struct TextSegment {
	std::string text;
	bool parse_special = false;

	bool operator==(const TextSegment&) const = default;
};

class Tokenizer {
public:
	/// kMalformed: missing keys, wrong types or lengths, numbers out of range, merges of texts that are no tokens. kUnsupported: another
	/// kind of tokenizer. `file` names the model in messages.
	static Result<Tokenizer> fromMetadata(const Metadata& metadata, std::string_view file);

	Tokenizer(Tokenizer&&) noexcept;
	Tokenizer& operator=(Tokenizer&&) noexcept;
	~Tokenizer();

	uint32_t size() const;                               // tokens 0 .. size()-1
	const TokenizerVocabulary& vocabulary() const;                // kinds, special token numbers, defaults
	bool endsGeneration(Token token) const;              // end of text, turn or message
	Token find(std::string_view text) const;             // a token by its text in the metadata, control tokens included; or kNoToken

	/// With add_special, the model's own beginning and end (add_bos_token, add_eos_token) are put around. kUnsupported: 700 MB and more.
	Result<std::vector<Token>> encode(std::string_view text, bool add_special = true, bool parse_special = false) const;
	Result<std::vector<Token>> encode(std::span<const TextSegment> segments, bool add_special = true) const;

	/// The bytes that one token stands for; control tokens are empty unless shown. Bytes, since a token may end within a character.
	/// Empty for numbers outside of the vocabulary.
	std::string_view piece(Token token, bool show_control = false) const;

	/// All pieces together, without the space that encode() put in front. May hold broken UTF-8; see Detokenizer for display.
	std::string decode(std::span<const Token> tokens, bool show_control = false) const;

private:
	struct Impl;
	explicit Tokenizer(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
