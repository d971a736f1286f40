// Text from files on its way to a terminal: names and values of untrusted files may hold anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// `text` with control characters and bytes that are no UTF-8 written as \xNN, newlines and tabs as \n and \t; cut after
/// about `limit` bytes, with "..." in place of the rest (0: no limit). Never cuts inside a character.
std::string printable(std::string_view text, size_t limit = 0);

/// printable(text, 96) in single quotes: how messages name tensors, keys and values.
std::string quote(std::string_view text);

/// A text that occurs more than once (the first of them in byte order), if there is one. By sorting: a file's author can
/// aim at a hash table, and make a megabyte of names take hours.
std::optional<std::string_view> firstRepeated(std::vector<std::string_view> texts);

}  // namespace vkq
