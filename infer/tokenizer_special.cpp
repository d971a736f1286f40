#include "infer/tokenizer_special.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace vkq {

namespace {

constexpr size_t kLongestSpecial = 1024;  // bytes; real ones have some twenty

bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

/// Where one token occurs: starts [first, last], one byte apart. Only a run of one byte repeats so densely, and without ranges a
/// megabyte of line ends would be remembered thirty times over for Gemma's tokens of 2 to 31 of them.
struct SpecialTokens::Candidates {
	uint32_t special;   // index into sorted_
	uint32_t first, last;
};

Result<SpecialTokens> SpecialTokens::create(const TokenizerVocabulary& vocabulary, std::string_view file) {
	SpecialTokens specials;
	for (Token token = 0; token < Token(vocabulary.size()); ++token) {
		const TokenKind kind = vocabulary.kinds[token];
		const std::string_view text = vocabulary.texts[token];
		if ((kind != TokenKind::kControl && kind != TokenKind::kUserDefined && kind != TokenKind::kUnknown) || text.empty()) continue;
		if (text.size() > kLongestSpecial)
			return fail(ErrorCode::kMalformed, fmt::format("{}: special token {} is {} bytes long, more than {}", file, token, text.size(), kLongestSpecial));
		const bool strips = vocabulary.specials_strip_right && text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
		specials.sorted_.push_back({text, token, 0, kind == TokenKind::kUserDefined, strips});
	}
	auto& sorted = specials.sorted_;
	std::vector<uint32_t> order(sorted.size());
	std::iota(order.begin(), order.end(), 0);
	std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return sorted[a].text.size() > sorted[b].text.size(); });
	for (uint32_t i = 0; i < order.size(); ++i) sorted[order[i]].priority = i;
	std::stable_sort(sorted.begin(), sorted.end(), [](const Special& a, const Special& b) { return a.text < b.text; });
	for (uint32_t i = 0; i < sorted.size(); ++i) {
		TextRange& range = specials.by_first_byte_[uint8_t(sorted[i].text[0])];
		if (range.end == 0) range.begin = i;
		range.end = i + 1;
	}
	return specials;
}

void SpecialTokens::collect(std::string_view text, std::span<const TextRange> trusted, std::vector<Candidates>& found) const {
	constexpr uint32_t kNone = ~0u;
	std::vector<uint32_t> open(sorted_.size(), kNone);  // the range in `found` that a token may still extend
	size_t range = 0;
	for (uint32_t at = 0; at < text.size(); ++at) {
		auto [low, high] = by_first_byte_[uint8_t(text[at])];
		if (low == high) continue;
		while (range < trusted.size() && trusted[range].end <= at) ++range;
		const uint32_t trusted_end = range < trusted.size() && trusted[range].begin <= at ? trusted[range].end : at;
		// [low, high): the tokens that agree with the text in their first `length` bytes; those of just that length come first.
		for (uint32_t length = 1; low < high; ++length) {
			for (; low < high && sorted_[low].text.size() == length; ++low) {
				if (!sorted_[low].everywhere && at + length > trusted_end) continue;
				if (open[low] != kNone && found[open[low]].last + 1 == at) {
					found[open[low]].last = at;
				} else {
					open[low] = uint32_t(found.size());
					found.push_back({low, at, at});
				}
			}
			if (at + length >= text.size()) break;
			const uint8_t next = uint8_t(text[at + length]);
			const auto byteAt = [length](const Special& special) { return uint8_t(special.text[length]); };
			const auto begin = sorted_.begin() + low, end = sorted_.begin() + high;
			const auto first = std::partition_point(begin, end, [&](const Special& special) { return byteAt(special) < next; });
			const auto last = std::partition_point(first, end, [&](const Special& special) { return byteAt(special) <= next; });
			low = uint32_t(first - sorted_.begin());
			high = uint32_t(last - sorted_.begin());
		}
	}
}

std::vector<SpecialMatch> SpecialTokens::find(std::string_view text, std::span<const TextRange> trusted) const {
	std::vector<SpecialMatch> matches;
	std::vector<Candidates> found;
	collect(text, trusted, found);
	if (found.empty()) return matches;
	std::stable_sort(found.begin(), found.end(), [&](const Candidates& a, const Candidates& b) {
		return sorted_[a.special].priority < sorted_[b.special].priority;
	});
	std::vector<bool> taken(text.size());
	for (const Candidates& candidates : found) {
		const Special& special = sorted_[candidates.special];
		const uint32_t length = uint32_t(special.text.size());
		for (uint32_t at = candidates.first; at <= candidates.last; ++at) {
			// Whatever is taken is at least as long as this token, so its ends tell.
			if (taken[at] || taken[at + length - 1]) continue;
			uint32_t end = at + length;
			while (special.strips_right && end < text.size() && !taken[end] && isSpace(text[end])) ++end;
			std::fill(taken.begin() + at, taken.begin() + end, true);
			matches.push_back({{at, end}, special.token});
			at += length - 1;
		}
	}
	std::sort(matches.begin(), matches.end(), [](const SpecialMatch& a, const SpecialMatch& b) { return a.range.begin < b.range.begin; });
	return matches;
}

}  // namespace vkq
