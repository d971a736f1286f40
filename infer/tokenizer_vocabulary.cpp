#include "infer/tokenizer_vocabulary.h"

#include "core/text.h"
#include "infer/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>
#include <optional>

namespace vkq {

namespace {

constexpr uint32_t kMaxTokens = 1u << 24;                // sixteen million; the largest real vocabularies have 300 thousand

/// GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes are numbered from U+0100 on.
struct ByteAlphabet {
	std::array<int16_t, 0x144> byte_of;  // by code point; -1 where none

	ByteAlphabet() {
		byte_of.fill(-1);
		int next = 0x100;
		for (int byte = 0; byte < 256; ++byte) {
			const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
			byte_of[printable ? byte : next++] = int16_t(byte);
		}
	}
};

/// Reads one key after another and remembers the first complaint.
class KeyReader {
public:
	KeyReader(const Metadata& metadata, std::string_view file, uint64_t tokens) : metadata_(metadata), file_(file), tokens_(tokens) {}

	void tokenId(std::string_view key, Token& id) {
		const MetaValue* value = metadata_.find(key);
		if (!value) return;
		const auto number = metadata_.unsignedInt(key);
		if (number && *number < tokens_) {
			id = Token(*number);
		} else if (number == 0xFFFFFFFF || metadata_.signedInt(key) == -1) {
			id = kNoToken;  // how converters write "none"
		} else if (!error_) {
			error_ = fail(ErrorCode::kMalformed,
			              number ? fmt::format("{}: {} is {}, the vocabulary has {} tokens", file_, key, *number, tokens_)
			                     : fmt::format("{}: {} is not a token number", file_, key));
		}
	}

	void flag(std::string_view key, bool& value) {
		if (!metadata_.contains(key)) return;
		if (auto read = metadata_.boolean(key)) {
			value = *read;
		} else if (!error_) {
			error_ = fail(ErrorCode::kMalformed, fmt::format("{}: {} is not true or false", file_, key));
		}
	}

	Result<void> finish() {
		if (error_) return *error_;
		return {};
	}

private:
	const Metadata& metadata_;
	std::string_view file_;
	uint64_t tokens_;
	std::optional<Error> error_;
};

/// "<0x0A>" as 10.
std::optional<uint8_t> byteOfText(std::string_view text) {
	if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
	unsigned byte = 0;
	const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
	if (error != std::errc() || end != text.data() + 5) return std::nullopt;
	return uint8_t(byte);
}

std::string withSpaces(std::string_view text) {
	std::string plain;
	plain.reserve(text.size());
	for (size_t at = 0; at < text.size();) {
		if (text.substr(at).starts_with(kSpaceMark)) {
			plain += ' ';
			at += kSpaceMark.size();
		} else {
			plain += text[at++];
		}
	}
	return plain;
}

Result<void> readTexts(const Metadata& metadata, std::string_view file, TokenizerVocabulary& vocabulary) {
	const auto* texts = metadata.strings("tokenizer.ggml.tokens");
	if (!texts) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: tokenizer.ggml.tokens {}", file,
		                                               metadata.contains("tokenizer.ggml.tokens") ? "is not an array of strings" : "is missing"),
		            "the file holds no vocabulary: convert the model together with its tokenizer");
	}
	if (texts->empty()) return fail(ErrorCode::kMalformed, fmt::format("{}: tokenizer.ggml.tokens is empty", file));
	if (texts->size() > kMaxTokens)
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} tokens are more than {}", file, texts->size(), kMaxTokens));
	for (size_t i = 0; i < texts->size(); ++i)
		if (!isUtf8((*texts)[i])) return fail(ErrorCode::kMalformed, fmt::format("{}: the text of token {} is not UTF-8", file, i));
	vocabulary.texts = *texts;
	return {};
}

Result<void> readKinds(const Metadata& metadata, std::string_view file, TokenizerVocabulary& vocabulary) {
	constexpr std::string_view key = "tokenizer.ggml.token_type";
	vocabulary.kinds.assign(vocabulary.size(), TokenKind::kNormal);
	if (!metadata.contains(key)) return {};
	const MetaArray* array = metadata.array(key);
	const auto* kinds = array ? std::get_if<std::vector<int32_t>>(array) : nullptr;
	const auto* unsigned_kinds = array ? std::get_if<std::vector<uint32_t>>(array) : nullptr;
	if (!kinds && !unsigned_kinds) return fail(ErrorCode::kMalformed, fmt::format("{}: {} is not an array of 32-bit integers", file, key));
	const size_t count = kinds ? kinds->size() : unsigned_kinds->size();
	if (count != vocabulary.size())
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} has {} entries for {} tokens", file, key, count, vocabulary.size()));
	for (size_t i = 0; i < count; ++i) {
		const int64_t kind = kinds ? int64_t((*kinds)[i]) : int64_t((*unsigned_kinds)[i]);
		if (kind < 0 || kind > int64_t(TokenKind::kByte))
			return fail(ErrorCode::kMalformed, fmt::format("{}: token {} has type {}, known are 1 to 6", file, i, kind));
		if (kind > 0) vocabulary.kinds[i] = TokenKind(kind);  // 0, undefined, is taken as normal
	}
	return {};
}

Result<void> readScores(const Metadata& metadata, std::string_view file, TokenizerVocabulary& vocabulary) {
	constexpr std::string_view key = "tokenizer.ggml.scores";
	const MetaArray* array = metadata.array(key);
	const auto* scores = array ? std::get_if<std::vector<float>>(array) : nullptr;
	if (!scores)
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} {}", file, key, metadata.contains(key) ? "is not an array of f32" : "is missing"));
	if (scores->size() != vocabulary.size())
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} has {} entries for {} tokens", file, key, scores->size(), vocabulary.size()));
	for (size_t i = 0; i < scores->size(); ++i)
		if (std::isnan((*scores)[i])) return fail(ErrorCode::kMalformed, fmt::format("{}: the score of token {} is not a number", file, i));
	vocabulary.scores = *scores;
	return {};
}

/// Fills pieces, byte tokens and the two indices.
void indexPieces(TokenizerVocabulary& vocabulary, bool kinds_known) {
	const bool sentence_piece = vocabulary.model == TokenizerModel::kSentencePiece;
	vocabulary.byte_tokens.fill(kNoToken);
	vocabulary.pieces.reserve(vocabulary.size());
	for (Token token = 0; token < Token(vocabulary.size()); ++token) {
		const std::string& text = vocabulary.texts[token];
		TokenKind& kind = vocabulary.kinds[token];
		const auto byte = sentence_piece && (kind == TokenKind::kByte || !kinds_known) ? byteOfText(text) : std::nullopt;
		const bool spelled = kind == TokenKind::kNormal || kind == TokenKind::kUnused || kind == TokenKind::kByte;
		if (byte) {
			kind = TokenKind::kByte;
			vocabulary.byte_tokens[*byte] = token;
			vocabulary.pieces.emplace_back(1, char(*byte));
		} else if (sentence_piece) {
			vocabulary.pieces.push_back(spelled ? withSpaces(text) : text);
		} else {
			vocabulary.pieces.emplace_back();
			if (spelled) {
				appendBytesOfByteLevelText(text, vocabulary.pieces.back());
			} else {
				vocabulary.pieces.back() = text;
			}
		}
		vocabulary.longest_spelling = std::max(vocabulary.longest_spelling, vocabulary.spellings()[token].size());
	}
	// A later token of the same spelling wins, as in the reference. User-defined tokens are cut out of a text before it is encoded;
	// they only give their name to a merge that finds no other. SentencePiece's byte tokens are a last resort, not pieces.
	for (const bool user_defined : {false, true}) {
		for (Token token = 0; token < Token(vocabulary.size()); ++token) {
			const TokenKind kind = vocabulary.kinds[token];
			if (vocabulary.spellings()[token].empty() || (kind == TokenKind::kByte && sentence_piece)) continue;
			const bool wanted = user_defined ? kind == TokenKind::kUserDefined
			                                 : kind == TokenKind::kNormal || kind == TokenKind::kUnused || kind == TokenKind::kByte;
			if (wanted) vocabulary.plain_.insert(vocabulary.spellings(), token, !user_defined);
		}
	}
	for (int byte = 0; byte < 256; ++byte) {
		const char character = char(byte);
		if (vocabulary.byte_tokens[byte] == kNoToken) vocabulary.byte_tokens[byte] = vocabulary.findSpelling({&character, 1});
	}
}

/// Models name several ends: the end of the text, of a turn, of a message. Their metadata tells one or two of them; the others
/// are known by name. A name counts as control even where the file calls it normal, or it would be printed and typed.
void findEnds(TokenizerVocabulary& vocabulary) {
	constexpr std::string_view kEnds[] = {
		"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "<|eot|>", "<|eom|>",
		"<|end_of_turn|>", "<|END_OF_TURN_TOKEN|>", "<|endofturn|>", "[|endofturn|]", "<|EOT|>", "<EOT>", "_<EOT>",
		"<end_of_utterance>", "<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
	};
	constexpr std::string_view kTurnEnds[] = {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|eot|>", "<|END_OF_TURN_TOKEN|>"};
	vocabulary.ends_generation.assign(vocabulary.size(), false);
	for (const std::string_view name : kEnds) {
		const Token token = vocabulary.findText(name);
		if (token == kNoToken) continue;
		vocabulary.ends_generation[token] = true;
		if (vocabulary.kinds[token] == TokenKind::kNormal) vocabulary.kinds[token] = TokenKind::kControl;
	}
	for (const std::string_view name : kTurnEnds)
		if (vocabulary.end_of_turn == kNoToken) vocabulary.end_of_turn = vocabulary.findText(name);
	for (const Token token : {vocabulary.eos, vocabulary.end_of_turn})
		if (token != kNoToken) vocabulary.ends_generation[token] = true;
}

/// Phi-3's tokenizer asks for it, which GGUF has no key for; the reference goes by the name too.
bool isPhi3(const Metadata& metadata) {
	if (metadata.string("general.architecture") == "phi3") return true;
	std::string name(metadata.string("general.name").value_or(""));
	std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(c >= 'A' && c <= 'Z' ? c + 32 : c); });
	return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

}  // namespace

void TextIndex::reserve(size_t texts) {
	if (texts * 2 > slots_.size()) resize(std::bit_ceil(texts * 2));
}

void TextIndex::resize(size_t slots) {
	std::vector<Slot> old(slots, Slot{0, kNoToken});
	old.swap(slots_);
	for (const Slot& slot : old) {
		if (slot.token == kNoToken) continue;
		size_t at = slot.hash & (slots_.size() - 1);
		while (slots_[at].token != kNoToken) at = (at + 1) & (slots_.size() - 1);
		slots_[at] = slot;
	}
}

void TextIndex::insert(const std::vector<std::string>& texts, Token token, bool replace) {
	if (used_ * 2 >= slots_.size()) resize(std::max<size_t>(64, slots_.size() * 2));
	const uint32_t hash = uint32_t(std::hash<std::string_view>()(texts[token]));
	size_t at = hash & (slots_.size() - 1);
	for (; slots_[at].token != kNoToken; at = (at + 1) & (slots_.size() - 1)) {
		if (slots_[at].hash != hash || texts[slots_[at].token] != texts[token]) continue;
		if (replace) slots_[at].token = token;
		return;
	}
	slots_[at] = {hash, token};
	++used_;
}

Token TextIndex::find(const std::vector<std::string>& texts, std::string_view text) const {
	if (slots_.empty()) return kNoToken;
	const uint32_t hash = uint32_t(std::hash<std::string_view>()(text));
	for (size_t at = hash & (slots_.size() - 1); slots_[at].token != kNoToken; at = (at + 1) & (slots_.size() - 1))
		if (slots_[at].hash == hash && texts[slots_[at].token] == text) return slots_[at].token;
	return kNoToken;
}

void appendBytesOfByteLevelText(std::string_view text, std::string& bytes) {
	static const ByteAlphabet alphabet;
	for (size_t at = 0; at < text.size();) {
		const Utf8Character character = readUtf8(text, at);
		const int byte = character.code_point < alphabet.byte_of.size() ? alphabet.byte_of[character.code_point] : -1;
		if (byte >= 0) {
			bytes += char(byte);
		} else {
			bytes += text.substr(at, character.bytes);
		}
		at += character.bytes;
	}
}

Result<TokenizerVocabulary> readVocabulary(const Metadata& metadata, std::string_view file) {
	const auto model = metadata.string("tokenizer.ggml.model");
	if (!model) return fail(ErrorCode::kMalformed, fmt::format("{}: tokenizer.ggml.model is missing: the file holds no tokenizer", file));
	TokenizerVocabulary vocabulary;
	if (*model == "gpt2") {
		vocabulary.model = TokenizerModel::kBytePairs;
	} else if (*model == "llama") {
		vocabulary.model = TokenizerModel::kSentencePiece;
	} else {
		return fail(ErrorCode::kUnsupported, fmt::format("{}: the tokenizer model {} is not supported (known: gpt2, llama)", file, quote(*model)));
	}
	const bool sentence_piece = vocabulary.model == TokenizerModel::kSentencePiece;
	VKQ_CHECK(readTexts(metadata, file, vocabulary));
	VKQ_CHECK(readKinds(metadata, file, vocabulary));
	if (sentence_piece) VKQ_CHECK(readScores(metadata, file, vocabulary));

	// What SentencePiece models mean when they say nothing.
	if (sentence_piece && vocabulary.size() > 2) {
		vocabulary.unknown = 0;
		vocabulary.bos = 1;
		vocabulary.eos = 2;
	}
	vocabulary.add_bos = vocabulary.add_space_prefix = sentence_piece;
	if (!sentence_piece) {
		VKQ_TRY(const PreTokenizer* pre_tokenizer, findPreTokenizer(metadata.string("tokenizer.ggml.pre").value_or(""), file));
		vocabulary.pre_tokenizer = pre_tokenizer;
		vocabulary.ignore_merges = pre_tokenizer->ignore_merges;
		vocabulary.add_bos = pre_tokenizer->add_bos;
	}

	KeyReader keys(metadata, file, vocabulary.size());
	keys.tokenId("tokenizer.ggml.bos_token_id", vocabulary.bos);
	keys.tokenId("tokenizer.ggml.eos_token_id", vocabulary.eos);
	keys.tokenId("tokenizer.ggml.unknown_token_id", vocabulary.unknown);
	keys.tokenId("tokenizer.ggml.padding_token_id", vocabulary.padding);
	keys.tokenId("tokenizer.ggml.eot_token_id", vocabulary.end_of_turn);
	Token end_of_message = kNoToken;
	keys.tokenId("tokenizer.ggml.eom_token_id", end_of_message);
	keys.flag("tokenizer.ggml.add_bos_token", vocabulary.add_bos);
	keys.flag("tokenizer.ggml.add_eos_token", vocabulary.add_eos);
	keys.flag("tokenizer.ggml.add_space_prefix", vocabulary.add_space_prefix);
	VKQ_CHECK(keys.finish());

	vocabulary.specials_strip_right = isPhi3(metadata);
	vocabulary.all_.reserve(vocabulary.size());
	vocabulary.plain_.reserve(vocabulary.size());
	for (Token token = 0; token < Token(vocabulary.size()); ++token) vocabulary.all_.insert(vocabulary.texts, token, true);
	findEnds(vocabulary);
	if (end_of_message != kNoToken) vocabulary.ends_generation[end_of_message] = true;
	indexPieces(vocabulary, metadata.contains("tokenizer.ggml.token_type"));
	if (sentence_piece && vocabulary.unknown == kNoToken &&
	    std::any_of(vocabulary.byte_tokens.begin(), vocabulary.byte_tokens.end(), [](Token token) { return token == kNoToken; }))
		return fail(ErrorCode::kMalformed, fmt::format("{}: the vocabulary has neither all byte tokens nor an unknown token", file));
	return vocabulary;
}

}  // namespace vkq
