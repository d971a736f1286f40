// One GGUF image in memory -> metadata and tensor list. Every field is checked before it is used, and nothing is allocated
// that the image has no bytes for.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"

#include <string_view>
#include <vector>

namespace vkq {

struct ParsedGguf {
	uint32_t version = 0;
	uint32_t alignment = 32;
	Metadata metadata;
	std::vector<TensorInfo> tensors;   // shard is 0
	uint64_t data_start = 0;           // bytes from the start of the image
};

/// The longest tensor name that loaders of this format take, in bytes.
inline constexpr size_t kMaxTensorNameBytes = 63;

/// `name` stands for the file in errors.
Result<ParsedGguf> parseGguf(Bytes image, std::string_view name);

}  // namespace vkq
