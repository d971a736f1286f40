#include "ggufio/json_text.h"

#include "ggufio/mapped_file.h"

#include <fmt/format.h>

namespace vkq {

namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t(128) << 20;
constexpr uint32_t kMaxDepth = 64;
constexpr uint64_t kMaxValues = uint64_t(16) << 20;

/// Depth and number of values, counted outside strings; syntax is left to the parser.
Result<void> checkBounds(std::string_view text, std::string_view name) {
	uint32_t depth = 0;
	uint64_t values = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.size(); ++i) {
		const char c = text[i];
		if (in_string) {
			if (c == '\\') ++i;
			else if (c == '"') in_string = false;
			continue;
		}
		switch (c) {
		case '"': in_string = true; break;
		case '{':
		case '[': ++depth; ++values; break;
		case '}':
		case ']': depth -= depth != 0; break;
		case ',': ++values; break;
		}
		if (depth > kMaxDepth) return fail(ErrorCode::kMalformed, fmt::format("{}: JSON is nested deeper than {} levels", name, kMaxDepth));
		if (values > kMaxValues) return fail(ErrorCode::kMalformed, fmt::format("{}: JSON has more than {} values", name, kMaxValues));
	}
	return {};
}

/// The library's message without its exception's name.
std::string plainMessage(std::string_view message) {
	const size_t bracket = message.find("] ");
	return std::string(bracket == message.npos ? message : message.substr(bracket + 2));
}

}  // namespace

Result<Json> parseJson(std::string_view text, std::string_view name) {
	if (text.size() > kMaxJsonBytes) return fail(ErrorCode::kMalformed, fmt::format("{}: {} bytes are too many for JSON", name, text.size()));
	VKQ_CHECK(checkBounds(text, name));
	try {
		return Json::parse(text.begin(), text.end());
	} catch (const Json::exception& error) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: not valid JSON: {}", name, plainMessage(error.what())));
	}
}

Result<std::string> readText(const std::filesystem::path& path, uint64_t limit) {
	VKQ_TRY(const MappedFile file, MappedFile::open(path));
	if (file.bytes().size() > limit) {
		const uint64_t bytes = file.bytes().size();
		return fail(ErrorCode::kMalformed, fmt::format("{}: {} bytes, more than the {} that such a file may have", path.string(), bytes, limit));
	}
	std::string text(file.bytes().size(), '\0');
	VKQ_CHECK(file.readAt(0, text.size(), reinterpret_cast<std::byte*>(text.data())));
	return text;
}

Result<Json> readJson(const std::filesystem::path& path) {
	VKQ_TRY(const std::string text, readText(path, kMaxJsonBytes));
	return parseJson(text, path.string());
}

const Json* member(const Json& object, std::string_view key) {
	if (!object.is_object()) return nullptr;
	const auto found = object.find(key);
	return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> stringMember(const Json& object, std::string_view key) {
	const Json* value = member(object, key);
	if (!value || !value->is_string()) return std::nullopt;
	return value->get<std::string>();
}

std::optional<bool> boolMember(const Json& object, std::string_view key) {
	const Json* value = member(object, key);
	if (!value || !value->is_boolean()) return std::nullopt;
	return value->get<bool>();
}

std::optional<uint64_t> wholeNumber(const Json& value) {
	if (value.is_number_unsigned()) {
		const uint64_t number = value.get<uint64_t>();
		if (number <= uint64_t(INT64_MAX)) return number;
	} else if (value.is_number_integer()) {
		if (const int64_t number = value.get<int64_t>(); number >= 0) return uint64_t(number);
	}
	return std::nullopt;
}

std::string_view jsonKind(const Json& value) {
	if (value.is_object()) return "an object";
	if (value.is_array()) return "a list";
	if (value.is_string()) return "a string";
	if (value.is_boolean()) return "a boolean";
	if (value.is_number()) return "a number";
	return "nothing";
}

}  // namespace vkq
