#include "infer/utf8.h"

#include <algorithm>

namespace vkq {

namespace {

/// What a first byte announces: the sequence's length (0: none starts so) and the range of its second byte, which is where
/// overlong forms, surrogates and numbers beyond U+10FFFF are excluded (Unicode standard, table 3-7).
struct Lead {
	uint32_t bytes;
	uint8_t second_low, second_high;
};

Lead leadOf(uint8_t byte) {
	if (byte < 0x80) return {1, 0, 0};
	if (byte < 0xC2) return {0, 0, 0};
	if (byte < 0xE0) return {2, 0x80, 0xBF};
	if (byte == 0xE0) return {3, 0xA0, 0xBF};
	if (byte == 0xED) return {3, 0x80, 0x9F};
	if (byte < 0xF0) return {3, 0x80, 0xBF};
	if (byte == 0xF0) return {4, 0x90, 0xBF};
	if (byte < 0xF4) return {4, 0x80, 0xBF};
	if (byte == 0xF4) return {4, 0x80, 0x8F};
	return {0, 0, 0};
}

/// How many of the bytes from `at` on fit the sequence that the first one announces (1..lead.bytes).
uint32_t matchingBytes(std::string_view text, size_t at, const Lead& lead) {
	uint32_t count = 1;
	while (count < lead.bytes && at + count < text.size()) {
		const uint8_t byte = uint8_t(text[at + count]);
		const uint8_t low = count == 1 ? lead.second_low : 0x80, high = count == 1 ? lead.second_high : 0xBF;
		if (byte < low || byte > high) break;
		++count;
	}
	return count;
}

}  // namespace

Utf8Character readUtf8(std::string_view text, size_t at) {
	const uint8_t first = uint8_t(text[at]);
	if (first < 0x80) return {first, 1, true};
	const Lead lead = leadOf(first);
	if (lead.bytes == 0 || matchingBytes(text, at, lead) != lead.bytes) return {first, 1, false};
	uint32_t code_point = first & (0x7Fu >> lead.bytes);
	for (uint32_t i = 1; i < lead.bytes; ++i) code_point = code_point << 6 | (uint8_t(text[at + i]) & 0x3F);
	return {code_point, lead.bytes, true};
}

void appendUtf8(std::string& text, uint32_t code_point) {
	if (code_point < 0x80) {
		text += char(code_point);
	} else if (code_point < 0x800) {
		text += char(0xC0 | code_point >> 6);
		text += char(0x80 | (code_point & 0x3F));
	} else if (code_point < 0x10000) {
		text += char(0xE0 | code_point >> 12);
		text += char(0x80 | (code_point >> 6 & 0x3F));
		text += char(0x80 | (code_point & 0x3F));
	} else {
		text += char(0xF0 | code_point >> 18);
		text += char(0x80 | (code_point >> 12 & 0x3F));
		text += char(0x80 | (code_point >> 6 & 0x3F));
		text += char(0x80 | (code_point & 0x3F));
	}
}

bool isUtf8(std::string_view text) {
	for (size_t at = 0; at < text.size();) {
		const Utf8Character character = readUtf8(text, at);
		if (!character.valid) return false;
		at += character.bytes;
	}
	return true;
}

size_t unfinishedUtf8(std::string_view text) {
	for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
		const size_t at = text.size() - back;
		const Lead lead = leadOf(uint8_t(text[at]));
		if (lead.bytes > back && matchingBytes(text, at, lead) == back) return back;
		if (lead.bytes != 0) return 0;
	}
	return 0;
}

std::string repairUtf8(std::string_view text) {
	std::string repaired;
	repaired.reserve(text.size());
	for (size_t at = 0; at < text.size();) {
		const Utf8Character character = readUtf8(text, at);
		repaired += character.valid ? text.substr(at, character.bytes) : kReplacementCharacter;
		at += character.bytes;
	}
	return repaired;
}

}  // namespace vkq
