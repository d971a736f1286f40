// JSON of untrusted files: parsed within bounds, looked up without surprises.
//
// A document of more than 128 MiB, nested deeper than 64 or with more than 16 Mi values is refused before anything is
// built from it: the largest real one (a tokenizer of 262,144 tokens with its merges) has a quarter of that.
#pragma once

#include "core/result.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace vkq {

using Json = nlohmann::json;

/// `name` stands for the file in errors.
Result<Json> parseJson(std::string_view text, std::string_view name);
/// kNotFound when there is no such file.
Result<Json> readJson(const std::filesystem::path& path);
/// A whole file as text, up to `limit` bytes.
Result<std::string> readText(const std::filesystem::path& path, uint64_t limit);

/// The member, or null when `object` is no object, the key is missing, or its value is JSON's null.
const Json* member(const Json& object, std::string_view key);

/// The member's value; nothing when it is missing or of another kind.
std::optional<std::string> stringMember(const Json& object, std::string_view key);
std::optional<bool> boolMember(const Json& object, std::string_view key);

/// A whole number from 0 to 2^63 - 1; nothing for anything else.
std::optional<uint64_t> wholeNumber(const Json& value);

/// "an object", "a string", ... for messages.
std::string_view jsonKind(const Json& value);

}  // namespace vkq
