#include "infer/tokenizer_spm.h"

#include "infer/tokenizer_cache.h"
#include "infer/utf8.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>

namespace vkq {

namespace {

/// Bytes of the character that a first byte announces, without looking further: as the reference cuts.
uint32_t announcedBytes(uint8_t first) { return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4; }

/// Floats as integers that sort in reverse: the highest score first.
uint32_t descendingKey(float score) {
	const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // + 0: both zeros are one
	return bits & 0x80000000 ? bits : ~bits & 0x7FFFFFFF;
}

class PieceMerger {
public:
	explicit PieceMerger(const TokenizerVocabulary& vocabulary) : vocabulary_(vocabulary) {}

	void encode(std::string_view text, std::vector<Token>& tokens) {
		text_ = text;
		symbols_.clear();
		for (size_t at = 0; at < text.size();) {
			const uint32_t bytes = uint32_t(std::min<size_t>(announcedBytes(uint8_t(text[at])), text.size() - at));
			const int32_t index = int32_t(symbols_.size());
			symbols_.push_back({uint32_t(at), bytes, index - 1, index + 1, kNoToken, kNoToken});
			at += bytes;
		}
		if (symbols_.empty()) return;
		symbols_.back().next = -1;
		for (int32_t i = 0; i + 1 < int32_t(symbols_.size()); ++i) offer(i);
		while (!queue_.empty()) {
			const uint32_t key = uint32_t(queue_.top() >> 32);
			const int32_t left = int32_t(uint32_t(queue_.top()));
			queue_.pop();
			const Token pair = symbols_[left].pair;
			if (pair != kNoToken && descendingKey(vocabulary_.scores[pair]) == key) merge(left);  // otherwise it has changed since
		}
		for (int32_t at = 0; at >= 0; at = symbols_[at].next) emit(symbols_[at], tokens);
	}

private:
	struct Symbol {
		uint32_t begin, bytes;
		int32_t previous, next;   // -1: none
		Token token;              // what it merged to; a single character is looked up when it is emitted
		Token pair;               // what it and its right neighbour are together, or kNoToken
	};

	void offer(int32_t left) {
		Symbol& symbol = symbols_[left];
		symbol.pair = kNoToken;
		if (symbol.next < 0) return;
		const uint32_t bytes = symbol.bytes + symbols_[symbol.next].bytes;
		if (bytes > vocabulary_.longest_spelling) return;
		symbol.pair = vocabulary_.findSpelling(text_.substr(symbol.begin, bytes));
		if (symbol.pair != kNoToken) queue_.push(uint64_t(descendingKey(vocabulary_.scores[symbol.pair])) << 32 | uint32_t(left));
	}

	void merge(int32_t left) {
		Symbol& symbol = symbols_[left];
		Symbol& right = symbols_[symbol.next];
		symbol.token = symbol.pair;
		symbol.bytes += right.bytes;
		right.pair = kNoToken;
		symbol.next = right.next;
		if (symbol.next >= 0) symbols_[symbol.next].previous = left;
		offer(left);
		if (symbol.previous >= 0) offer(symbol.previous);
	}

	void emit(const Symbol& symbol, std::vector<Token>& tokens) const {
		const std::string_view piece = text_.substr(symbol.begin, symbol.bytes);
		const Token token = symbol.token != kNoToken ? symbol.token : vocabulary_.findSpelling(piece);
		if (token != kNoToken) {
			tokens.push_back(token);
			return;
		}
		for (const char byte : piece) {
			const Token fallback = vocabulary_.byte_tokens[uint8_t(byte)];
			tokens.push_back(fallback != kNoToken ? fallback : vocabulary_.unknown);
		}
	}

	const TokenizerVocabulary& vocabulary_;
	std::string_view text_;
	std::vector<Symbol> symbols_;
	std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> queue_;  // score, then position
};

}  // namespace

SentencePieceEncoder::SentencePieceEncoder(const TokenizerVocabulary& vocabulary) {
	for (const std::string& text : vocabulary.texts) {
		const size_t mark = text.rfind(kSpaceMark);
		if (mark == std::string::npos) continue;
		for (size_t at = 0; at < mark; at += kSpaceMark.size())
			if (text.compare(at, kSpaceMark.size(), kSpaceMark) != 0) words_are_apart_ = false;
	}
}

void SentencePieceEncoder::encode(const TokenizerVocabulary& vocabulary, std::string_view text, std::vector<Token>& tokens) const {
	std::string marked;
	marked.reserve(text.size() + text.size() / 2);
	for (const char character : text) {
		if (character == ' ') {
			marked += kSpaceMark;
		} else {
			marked += character;
		}
	}
	PieceMerger merger(vocabulary);
	const auto encodeWord = [&](std::string_view word, std::vector<Token>& out) { merger.encode(word, out); };
	// A broken character may swallow a mark, and then words are not apart.
	if (!words_are_apart_ || !isUtf8(marked)) {
		encodeWord(marked, tokens);
		return;
	}
	WordCache cache;
	for (size_t start = 0; start < marked.size();) {
		size_t end = start;
		while (marked.compare(end, kSpaceMark.size(), kSpaceMark) == 0) end += kSpaceMark.size();
		end = std::min(marked.find(kSpaceMark, end), marked.size());
		cache.append(std::string_view(marked).substr(start, end - start), tokens, encodeWord);
		start = end;
	}
}

}  // namespace vkq
