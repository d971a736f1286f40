#include "quant/name_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace vkq {

namespace {

constexpr size_t kLongestPattern = 512;

#ifdef __GLIBCXX__
constexpr auto kSyntax = std::regex_constants::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto kSyntax = std::regex_constants::ECMAScript;
#endif

}  // namespace

Result<NamePattern> NamePattern::compile(std::string_view pattern) {
	if (pattern.empty()) return fail(ErrorCode::kUsage, "a tensor name pattern is empty");
	if (pattern.size() > kLongestPattern)
		return fail(ErrorCode::kUsage, fmt::format("a tensor name pattern has {} characters, more than {}", pattern.size(), kLongestPattern));
	std::string lower(pattern);
	std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	try {
		return NamePattern(std::regex(lower, kSyntax));
	} catch (const std::regex_error& error) {
		if (error.code() == std::regex_constants::error_complexity)
			return fail(ErrorCode::kUsage, fmt::format("tensor name pattern '{}': back-references are not supported", pattern));
		return fail(ErrorCode::kUsage, fmt::format("tensor name pattern '{}' is not a regular expression: {}", pattern, error.what()),
		            "patterns are ECMAScript expressions, such as 'blk\\.[0-3]\\.ffn_down' or 'attn_v'");
	}
}

bool NamePattern::foundIn(std::string_view name) const { return std::regex_search(name.begin(), name.end(), expression_); }

}  // namespace vkq
