// A tokenizer's data as read from GGUF metadata (tokenizer.ggml.*), checked.
//
// Two models are known: "gpt2", byte-level byte-pair encoding, whose token texts write every byte as a printable character
// (space is U+0120), and "llama", SentencePiece with scores, whose texts write a space as U+2581 and odd bytes as <0x0A>.
#pragma once

#include "core/result.h"
#include "ggufio/metadata.h"
#include "infer/tokenizer_pattern.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

using Token = int32_t;
constexpr Token kNoToken = -1;
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581, SentencePiece's space

enum class TokenizerModel { kBytePairs, kSentencePiece };

/// Values are those of tokenizer.ggml.token_type.
enum class TokenKind : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

/// Finds a token by a text: open addressing over numbers of `texts`, so that a text is stored once.
class TextIndex {
public:
	void reserve(size_t texts);
	/// `token` becomes what its text finds; `replace` decides when another token of the same text is there already.
	void insert(const std::vector<std::string>& texts, Token token, bool replace);
	Token find(const std::vector<std::string>& texts, std::string_view text) const;

private:
	struct Slot {
		uint32_t hash;
		Token token;
	};
	void resize(size_t slots);

	std::vector<Slot> slots_;
	size_t used_ = 0;
};

struct TokenizerVocabulary {
	TokenizerModel model = TokenizerModel::kBytePairs;
	const PreTokenizer* pre_tokenizer = nullptr;  // how words are cut; byte pairs only
	std::vector<std::string> texts;     // as in the metadata; what control tokens look like
	std::vector<std::string> pieces;    // bytes that each token stands for; a control token's own text
	std::vector<TokenKind> kinds;
	std::vector<float> scores;          // SentencePiece: higher merges first; empty for byte pairs
	std::array<Token, 256> byte_tokens; // token of each single byte, or kNoToken
	size_t longest_spelling = 0;        // bytes

	Token bos = kNoToken, eos = kNoToken, unknown = kNoToken, end_of_turn = kNoToken, padding = kNoToken;
	std::vector<bool> ends_generation;  // by token
	bool add_bos = false, add_eos = false;
	bool add_space_prefix = false;      // SentencePiece: a space before the text and after each special token
	bool ignore_merges = false;         // byte pairs: a word that is a token is that token, whatever the merges say
	bool specials_strip_right = false;  // Phi-3: special tokens swallow the white space after them

	uint32_t size() const { return uint32_t(texts.size()); }
	/// What a stretch of plain text has to read to become a token: for byte pairs its bytes, for SentencePiece its text in the
	/// metadata, with marks for spaces (where cutting broken UTF-8 depends on those).
	const std::vector<std::string>& spellings() const { return model == TokenizerModel::kBytePairs ? pieces : texts; }
	/// The token that plain text of this spelling becomes (never a control token), or kNoToken.
	Token findSpelling(std::string_view spelling) const { return plain_.find(spellings(), spelling); }
	/// Any token with this text in the metadata, control tokens included, or kNoToken.
	Token findText(std::string_view text) const { return all_.find(texts, text); }

	TextIndex plain_, all_;
};

/// Reads and checks all of it except the merges. `file` stands in front of error messages.
Result<TokenizerVocabulary> readVocabulary(const Metadata& metadata, std::string_view file);

/// Appends the bytes that a byte-level token's text (UTF-8) spells; a character outside the byte alphabet stays as it is.
void appendBytesOfByteLevelText(std::string_view text, std::string& bytes);

}  // namespace vkq
