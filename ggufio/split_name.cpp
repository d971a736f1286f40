#include "ggufio/split_name.h"

#include <fmt/format.h>

#include <charconv>
#include <string>
#include <string_view>

namespace vkq {

std::filesystem::path splitPath(const std::filesystem::path& prefix, uint32_t shard, uint32_t count) {
	return prefix.string() + fmt::format("-{:05}-of-{:05}.gguf", shard + 1, count);
}

std::filesystem::path splitPrefix(const std::filesystem::path& output) {
	if (const auto name = parseSplitPath(output)) return name->prefix;
	auto prefix = output;
	return output.extension() == ".gguf" ? prefix.replace_extension() : prefix;
}

std::optional<SplitName> parseSplitPath(const std::filesystem::path& path) {
	const std::string text = path.string();
	constexpr std::string_view kPattern = "-00001-of-00003.gguf";
	if (path.filename().string().size() <= kPattern.size()) return std::nullopt;
	const size_t start = text.size() - kPattern.size();
	const auto number = [&](size_t at) -> uint32_t {
		uint32_t value = 0;
		const char* first = text.data() + start + at;
		const auto [end, status] = std::from_chars(first, first + 5, value);
		return status == std::errc() && end == first + 5 ? value : 0;
	};
	const uint32_t shard = number(1), count = number(10);
	if (shard == 0 || shard > count || count > kMaxShards) return std::nullopt;
	SplitName name{text.substr(0, start), shard - 1, count};
	if (splitPath(name.prefix, name.shard, name.count) != path) return std::nullopt;
	return name;
}

}  // namespace vkq
