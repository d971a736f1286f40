// What a GGUF file will hold and where: computed without touching the disk, so that sizes are known exactly in advance.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace vkq {

struct GgufLayout {
	std::vector<TensorInfo> tensors;   // offset and bytes filled in
	uint64_t header_bytes = 0;         // magic, metadata, tensor infos, padding: where data starts
	uint64_t file_bytes = 0;           // all of it; every tensor padded to `alignment`
	uint32_t alignment = 32;           // general.alignment if the metadata has one
};

/// Lays out one file. `tensors` give name, dimensions, ne and type; they keep their order.
/// kInvalidData names a tensor that the format cannot hold (its name, shape, type or size).
Result<GgufLayout> layOutGguf(const Metadata& metadata, std::vector<TensorInfo> tensors);

/// The header's bytes exactly as written (layout.header_bytes long).
std::vector<std::byte> ggufHeader(const Metadata& metadata, const GgufLayout& layout);

/// One file of an output that may be split.
struct GgufShard {
	std::filesystem::path path;
	Metadata metadata;
	GgufLayout layout;
	std::vector<size_t> tensors;   // layout.tensors[i] is the model's tensor number tensors[i]
};

/// Lays out a split model: tensor i goes to shard shard_of[i] (0, 1, ... without a gap). Shard 0 carries `metadata`; each
/// carries split.no, split.count and split.tensors.count. Paths are PREFIX-00001-of-0000N.gguf.
Result<std::vector<GgufShard>> layOutShards(const std::filesystem::path& prefix, const Metadata& metadata, const std::vector<TensorInfo>& tensors,
                                            std::span<const uint32_t> shard_of);

/// Fills shards in order, each with as many tensors as stay within `max_bytes` of tensor data (at least one).
/// `tensors` give ne and type; the result is what layOutShards() takes.
std::vector<uint32_t> shardsBySize(std::span<const TensorInfo> tensors, uint64_t max_bytes, uint32_t alignment = 32);

}  // namespace vkq
