#include "infer/tokenizer_bpe.h"

#include "core/text.h"
#include "infer/tokenizer_cache.h"
#include "infer/utf8.h"

#include <fmt/format.h>

#include <bit>
#include <functional>
#include <optional>
#include <queue>

namespace vkq {

namespace {

constexpr uint64_t kNoPair = ~0ull;
constexpr uint32_t kNoRank = ~0u;

uint64_t pairOf(Token left, Token right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }
size_t hashOf(uint64_t pair) { return size_t((pair ^ pair >> 29) * 0x9E3779B97F4A7C15ull >> 20); }

/// A text that is valid UTF-8, twice: what is encoded and what the patterns see. They differ in surrogates only, which
/// are kept for encoding but look like U+FFFD (of the same length) to PCRE2, which must never meet one.
struct RepairedText {
	std::string encoded, matched;
};

RepairedText repair(std::string_view text) {
	RepairedText repaired;
	for (size_t at = 0; at < text.size();) {
		const Utf8Character character = readUtf8(text, at);
		const bool surrogate = !character.valid && text.size() - at >= 3 && uint8_t(text[at]) == 0xED && (uint8_t(text[at + 1]) & 0xE0) == 0xA0 &&
		                       (uint8_t(text[at + 2]) & 0xC0) == 0x80;
		const uint32_t bytes = surrogate ? 3 : character.bytes;
		const std::string_view original = text.substr(at, bytes);
		repaired.encoded += character.valid || surrogate ? original : kReplacementCharacter;
		repaired.matched += character.valid ? original : kReplacementCharacter;
		at += bytes;
	}
	return repaired;
}

/// The symbols of one word as a doubly linked list in arrays, kept between words to spare allocations.
class WordMerger {
public:
	WordMerger(const TokenizerVocabulary& vocabulary, const MergeTable& merges) : vocabulary_(vocabulary), merges_(merges) {}

	void encode(std::string_view word, std::vector<Token>& tokens) {
		const uint32_t count = uint32_t(word.size());
		symbols_.resize(count);
		for (uint32_t i = 0; i < count; ++i)
			symbols_[i] = {vocabulary_.byte_tokens[uint8_t(word[i])], int32_t(i) - 1, i + 1 < count ? int32_t(i) + 1 : -1, kNoRank, kNoToken};
		for (uint32_t i = 0; i + 1 < count; ++i) offer(int32_t(i));
		while (!queue_.empty()) {
			const uint32_t rank = uint32_t(queue_.top() >> 32);
			const int32_t left = int32_t(uint32_t(queue_.top()));
			queue_.pop();
			if (symbols_[left].pair_rank == rank) merge(left);  // otherwise the pair has changed since
		}
		for (int32_t at = count ? 0 : -1; at >= 0; at = symbols_[at].next) {
			const Token token = symbols_[at].token != kNoToken ? symbols_[at].token : vocabulary_.unknown;
			if (token != kNoToken) tokens.push_back(token);
		}
	}

private:
	struct Symbol {
		Token token;
		int32_t previous, next;   // -1: none
		uint32_t pair_rank;       // of this symbol with its right neighbour; kNoRank: they do not merge, or it is gone
		Token pair_result;
	};

	/// Looks up the pair that starts at `left` and queues it.
	void offer(int32_t left) {
		Symbol& symbol = symbols_[left];
		const MergeTable::Merge* merge =
			symbol.next < 0 || symbol.token == kNoToken ? nullptr : merges_.find(symbol.token, symbols_[symbol.next].token);
		symbol.pair_rank = merge ? merge->rank : kNoRank;
		if (!merge) return;
		symbol.pair_result = merge->result;
		queue_.push(uint64_t(merge->rank) << 32 | uint32_t(left));
	}

	void merge(int32_t left) {
		Symbol& symbol = symbols_[left];
		Symbol& right = symbols_[symbol.next];
		symbol.token = symbol.pair_result;
		right.pair_rank = kNoRank;
		symbol.next = right.next;
		if (symbol.next >= 0) symbols_[symbol.next].previous = left;
		offer(left);
		if (symbol.previous >= 0) offer(symbol.previous);
	}

	const TokenizerVocabulary& vocabulary_;
	const MergeTable& merges_;
	std::vector<Symbol> symbols_;
	std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue_;  // rank, then position
};

}  // namespace

void MergeTable::reserve(size_t merges) { slots_.assign(std::bit_ceil(merges * 2 + 2), Slot{kNoPair, {}}); }

void MergeTable::insert(Token left, Token right, Merge merge) {
	const uint64_t pair = pairOf(left, right);
	size_t at = hashOf(pair) & (slots_.size() - 1);
	for (; slots_[at].pair != kNoPair; at = (at + 1) & (slots_.size() - 1))
		if (slots_[at].pair == pair) return;
	slots_[at] = {pair, merge};
}

const MergeTable::Merge* MergeTable::find(Token left, Token right) const {
	const uint64_t pair = pairOf(left, right);
	for (size_t at = hashOf(pair) & (slots_.size() - 1); slots_[at].pair != kNoPair; at = (at + 1) & (slots_.size() - 1))
		if (slots_[at].pair == pair) return &slots_[at].merge;
	return nullptr;
}

Result<BytePairEncoder> BytePairEncoder::create(const Metadata& metadata, const TokenizerVocabulary& vocabulary, std::string_view file) {
	constexpr std::string_view key = "tokenizer.ggml.merges";
	const auto* merges = metadata.strings(key);
	if (!merges)
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} {}", file, key, metadata.contains(key) ? "is not an array of strings" : "is missing"));
	VKQ_TRY(WordSplitter splitter, WordSplitter::compile(*vocabulary.pre_tokenizer));
	BytePairEncoder encoder(std::move(splitter));
	encoder.merges_.reserve(merges->size());
	std::string bytes;
	for (size_t rank = 0; rank < merges->size(); ++rank) {
		const std::string_view merge = (*merges)[rank];
		const size_t space = merge.find(' ', 1);  // a part may itself begin with a space
		if (space == std::string_view::npos || space + 1 == merge.size())
			return fail(ErrorCode::kMalformed, fmt::format("{}: merge {} is not two texts with a space between", file, rank));
		if (!isUtf8(merge)) return fail(ErrorCode::kMalformed, fmt::format("{}: merge {} is not UTF-8", file, rank));
		bytes.clear();
		appendBytesOfByteLevelText(merge.substr(0, space), bytes);
		const size_t cut = bytes.size();
		appendBytesOfByteLevelText(merge.substr(space + 1), bytes);
		const Token left = vocabulary.findSpelling(std::string_view(bytes).substr(0, cut)), right = vocabulary.findSpelling(std::string_view(bytes).substr(cut));
		const Token result = vocabulary.findSpelling(bytes);
		if (left == kNoToken || right == kNoToken || result == kNoToken)
			return fail(ErrorCode::kMalformed, fmt::format("{}: merge {}, {}, names a text that is no token", file, rank, quote(merge)));
		encoder.merges_.insert(left, right, {uint32_t(rank), result});
	}
	return encoder;
}

Result<void> BytePairEncoder::encode(const TokenizerVocabulary& vocabulary, std::string_view text, std::vector<Token>& tokens) const {
	std::optional<RepairedText> repaired;
	std::string_view matched = text;
	if (!isUtf8(text)) {
		repaired = repair(text);
		text = repaired->encoded;
		matched = repaired->matched;
	}
	VKQ_TRY(const std::vector<uint32_t> lengths, splitter_.split(matched));

	WordCache cache;
	WordMerger merger(vocabulary, merges_);
	size_t start = 0;
	for (const uint32_t length : lengths) {
		const std::string_view word = text.substr(start, length);
		start += length;
		if (vocabulary.ignore_merges && word.size() <= vocabulary.longest_spelling) {
			if (const Token token = vocabulary.findSpelling(word); token != kNoToken) {
				tokens.push_back(token);
				continue;
			}
		}
		cache.append(word, tokens, [&](std::string_view bytes, std::vector<Token>& out) { merger.encode(bytes, out); });
	}
	return {};
}

}  // namespace vkq
