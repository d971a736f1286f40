// Names of the files of a split model: PREFIX-00001-of-00003.gguf, counted from 1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace vkq {

struct SplitName {
	std::filesystem::path prefix;   // folder included, without "-00001-of-00003.gguf"
	uint32_t shard = 0;             // from 0
	uint32_t count = 0;
};

inline constexpr uint32_t kMaxShards = 65535;   // split.count is a u16

std::filesystem::path splitPath(const std::filesystem::path& prefix, uint32_t shard, uint32_t count);

/// What a user named as the output -> the prefix: without ".gguf", or without the numbers if it names a part.
std::filesystem::path splitPrefix(const std::filesystem::path& output);

/// Nothing when the name is not of that form.
std::optional<SplitName> parseSplitPath(const std::filesystem::path& path);

}  // namespace vkq
