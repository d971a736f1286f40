// UTF-8 as tokenizers need it: decoding that survives anything, and the repair of what is not UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vkq {

constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

/// One character read from a text.
struct Utf8Character {
	uint32_t code_point = 0;
	uint32_t bytes = 1;    // 1..4; 1 when not valid
	bool valid = false;    // shortest form, not beyond U+10FFFF, not a surrogate
};

/// The character that starts at `at` (at < text.size()). An ill-formed sequence is one invalid byte.
Utf8Character readUtf8(std::string_view text, size_t at);

void appendUtf8(std::string& text, uint32_t code_point);

bool isUtf8(std::string_view text);

/// How many bytes at the end of `text` begin a character whose other bytes may still come: 0..3.
size_t unfinishedUtf8(std::string_view text);

/// A copy in which every byte that belongs to no character is U+FFFD.
std::string repairUtf8(std::string_view text);

}  // namespace vkq
