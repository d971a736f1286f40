// Text from files on its way to a terminal: names and values of untrusted files may hold anything.
#pragma once

#include <string>
#include <string_view>

namespace vkq {

/// `text` with control characters and bytes that are no UTF-8 written as \xNN, newlines and tabs as \n and \t; cut after
/// about `limit` bytes, with "..." in place of the rest (0: no limit). Never cuts inside a character.
std::string printable(std::string_view text, size_t limit = 0);

/// printable(text, 96) in single quotes: how messages name tensors, keys and values.
std::string quote(std::string_view text);

}  // namespace vkq
