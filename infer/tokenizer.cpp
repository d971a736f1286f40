#include "infer/tokenizer.h"

#include "infer/tokenizer_bpe.h"
#include "infer/tokenizer_special.h"
#include "infer/tokenizer_spm.h"

#include <limits>
#include <optional>

namespace vkq {

struct Tokenizer::Impl {
	TokenizerVocabulary vocabulary;
	std::optional<SpecialTokens> specials;
	std::optional<BytePairEncoder> byte_pairs;
	std::optional<SentencePieceEncoder> sentence_piece;

	Result<std::vector<Token>> encode(std::string_view text, std::span<const TextRange> trusted, bool add_special) const;
	Result<void> encodePlain(std::string_view text, bool after_special, std::vector<Token>& tokens) const;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::fromMetadata(const Metadata& metadata, std::string_view file) {
	auto impl = std::make_unique<Impl>();
	VKQ_TRY(impl->vocabulary, readVocabulary(metadata, file));
	VKQ_TRY(impl->specials, SpecialTokens::create(impl->vocabulary, file));
	if (impl->vocabulary.model == TokenizerModel::kBytePairs) {
		VKQ_TRY(impl->byte_pairs, BytePairEncoder::create(metadata, impl->vocabulary, file));
	} else {
		impl->sentence_piece.emplace(impl->vocabulary);
	}
	return Tokenizer(std::move(impl));
}

uint32_t Tokenizer::size() const { return impl_->vocabulary.size(); }
const TokenizerVocabulary& Tokenizer::vocabulary() const { return impl_->vocabulary; }
Token Tokenizer::find(std::string_view text) const { return impl_->vocabulary.findText(text); }

bool Tokenizer::endsGeneration(Token token) const {
	return token >= 0 && uint32_t(token) < size() && impl_->vocabulary.ends_generation[token];
}

Result<void> Tokenizer::Impl::encodePlain(std::string_view text, bool after_special, std::vector<Token>& tokens) const {
	if (text.empty()) return {};
	if (byte_pairs) return byte_pairs->encode(vocabulary, text, tokens);
	if (vocabulary.add_space_prefix && after_special) {
		sentence_piece->encode(vocabulary, " " + std::string(text), tokens);
	} else {
		sentence_piece->encode(vocabulary, text, tokens);
	}
	return {};
}

Result<std::vector<Token>> Tokenizer::Impl::encode(std::string_view text, std::span<const TextRange> trusted, bool add_special) const {
	// Spaces grow to three bytes in SentencePiece, and positions are 32 bits wide.
	if (text.size() > size_t(std::numeric_limits<int32_t>::max()) / 3)
		return fail(ErrorCode::kUnsupported, "a text of 700 MB and more cannot be encoded at once");
	std::vector<Token> tokens;
	if (add_special && vocabulary.add_bos && vocabulary.bos != kNoToken) tokens.push_back(vocabulary.bos);
	uint32_t at = 0;
	bool after_special = true;
	for (const SpecialMatch& match : specials->find(text, trusted)) {
		VKQ_CHECK(encodePlain(text.substr(at, match.range.begin - at), after_special, tokens));
		tokens.push_back(match.token);
		at = match.range.end;
		after_special = true;
	}
	VKQ_CHECK(encodePlain(text.substr(at), after_special, tokens));
	if (add_special && vocabulary.add_eos && vocabulary.eos != kNoToken) tokens.push_back(vocabulary.eos);
	return tokens;
}

Result<std::vector<Token>> Tokenizer::encode(std::string_view text, bool add_special, bool parse_special) const {
	const TextRange all{0, uint32_t(std::min<size_t>(text.size(), std::numeric_limits<uint32_t>::max()))};
	return impl_->encode(text, parse_special ? std::span(&all, 1) : std::span<const TextRange>(), add_special);
}

Result<std::vector<Token>> Tokenizer::encode(std::span<const TextSegment> segments, bool add_special) const {
	std::string text;
	std::vector<TextRange> trusted;
	for (const TextSegment& segment : segments) {
		const uint32_t begin = uint32_t(text.size());
		text += segment.text;
		if (text.size() > std::numeric_limits<int32_t>::max()) break;  // refused below
		if (!segment.parse_special) continue;
		if (!trusted.empty() && trusted.back().end == begin) {
			trusted.back().end = uint32_t(text.size());
		} else {
			trusted.push_back({begin, uint32_t(text.size())});
		}
	}
	return impl_->encode(text, trusted, add_special);
}

std::string_view Tokenizer::piece(Token token, bool show_control) const {
	if (token < 0 || uint32_t(token) >= size()) return {};
	const TokenKind kind = impl_->vocabulary.kinds[token];
	if (!show_control && (kind == TokenKind::kControl || kind == TokenKind::kUnknown)) return {};
	return impl_->vocabulary.pieces[token];
}

std::string Tokenizer::decode(std::span<const Token> tokens, bool show_control) const {
	std::string text;
	bool at_start = impl_->vocabulary.add_space_prefix;
	for (const Token token : tokens) {
		if (at_start && token == impl_->vocabulary.bos) {
			text += piece(token, show_control);
			continue;
		}
		std::string_view bytes = piece(token, show_control);
		if (at_start && bytes.starts_with(' ')) bytes.remove_prefix(1);
		at_start = false;
		text += bytes;
	}
	return text;
}

}  // namespace vkq
