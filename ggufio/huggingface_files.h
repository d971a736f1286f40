// Finds and opens the files of a Hugging Face model: the folder, its config.json, its safetensors shards.
//
// A shard that an index names must be a plain file name: nothing outside the model's folder is opened on a file's word.
// (Symbolic links are followed: the download cache of Hugging Face consists of them.)
#pragma once

#include "core/result.h"
#include "ggufio/json_text.h"
#include "ggufio/safetensors.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// A tensor and the shard that holds it.
struct StoredTensor {
	uint32_t shard = 0;
	const SafetensorsTensor* tensor = nullptr;
};

struct HuggingFaceFiles {
	std::filesystem::path folder;
	std::vector<SafetensorsFile> shards;
	/// By the name in the file. Pointers stay valid while this lives, also when it is moved.
	std::map<std::string, StoredTensor, std::less<>> tensors;

	uint64_t storedBytes() const;
};

/// `path`: a folder, a .safetensors file (all shards, when it is one of several), or a .safetensors.index.json.
/// Each tensor is there once, and what the index says agrees with what the shards hold.
Result<HuggingFaceFiles> openHuggingFaceFiles(const std::filesystem::path& path);

}  // namespace vkq
