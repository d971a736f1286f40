// Texts that look into every corner of a tokenizer.
#pragma once

#include "infer/utf8.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace vkq::test {

/// Characters from everywhere, more of those that patterns look at.
inline std::string randomText(std::mt19937& random, size_t characters) {
	static const std::vector<std::string> common = {" ", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "the", "The", "ing", "7", "1234", ".", "...", "!?", "\u00a0",
	                                                "\u3000", "\u1680", "e\u0301", "\u0e01\u0e33", "\u4f60\u597d", "\U0001F999", "\u2581", "<", "|>"};
	std::string text;
	for (size_t i = 0; i < characters; ++i) {
		switch (random() % 4) {
			case 0: text += common[random() % common.size()]; break;
			case 1: text += char(' ' + random() % 95); break;
			case 2: appendUtf8(text, random() % 0x800); break;
			default: {
				const uint32_t code_point = random() % 0x110000;
				appendUtf8(text, code_point >= 0xD800 && code_point < 0xE000 ? 0xFFFD : code_point);
			}
		}
	}
	return text;
}

/// Bytes, most of them no UTF-8; surrogates and overlong forms among them.
inline std::string randomBytes(std::mt19937& random, size_t count) {
	static const std::vector<std::string> broken = {"\xC0\x80", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xE2\x96", "\xF0\x9F\xA6", "\x80", "\xFF", "\xE0\x80\x80"};
	std::string text;
	while (text.size() < count) {
		switch (random() % 4) {
			case 0: text += broken[random() % broken.size()]; break;
			case 1: text += char(random() % 256); break;
			default: text += char(' ' + random() % 95);
		}
	}
	return text;
}

}  // namespace vkq::test
