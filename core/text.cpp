#include "core/text.h"

#include <algorithm>
#include <cstdint>

namespace vkq {

namespace {

// Bytes of the UTF-8 character that begins at `at`; 0 if what is there is none (overlong, surrogate or beyond U+10FFFF included).
size_t utf8Length(std::string_view text, size_t at) {
	const auto byte = [&](size_t i) { return i < text.size() ? uint8_t(text[i]) : uint8_t(0); };
	const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
	const uint8_t first = byte(at);
	if (first < 0x80) return 1;
	if (first >= 0xc2 && first <= 0xdf) return follows(at + 1) ? 2 : 0;
	if (first >= 0xe0 && first <= 0xef) {
		const uint8_t second = byte(at + 1);
		if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
		return follows(at + 1) && follows(at + 2) ? 3 : 0;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		const uint8_t second = byte(at + 1);
		if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
		return follows(at + 1) && follows(at + 2) && follows(at + 3) ? 4 : 0;
	}
	return 0;
}

}  // namespace

std::string printable(std::string_view text, size_t limit) {
	static constexpr char kHex[] = "0123456789abcdef";
	std::string out;
	for (size_t at = 0; at < text.size();) {
		if (limit != 0 && out.size() >= limit) return out + "...";
		const size_t length = utf8Length(text, at);
		const uint8_t first = uint8_t(text[at]);
		// U+0080..U+009F are control characters too, and terminals obey them.
		const bool control = length == 0 || (length == 1 && (first < 0x20 || first == 0x7f)) || (length == 2 && first == 0xc2 && uint8_t(text[at + 1]) < 0xa0);
		if (!control) {
			out.append(text, at, length);
			at += length;
			continue;
		}
		if (first == '\n') out += "\\n";
		else if (first == '\t') out += "\\t";
		else (out += "\\x") += {kHex[first >> 4], kHex[first & 15]};
		++at;
	}
	return out;
}

std::string quote(std::string_view text) { return "'" + printable(text, 96) + "'"; }

std::optional<std::string_view> firstRepeated(std::vector<std::string_view> texts) {
	std::sort(texts.begin(), texts.end());
	const auto at = std::adjacent_find(texts.begin(), texts.end());
	if (at == texts.end()) return std::nullopt;
	return *at;
}

}  // namespace vkq
