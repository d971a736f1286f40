// Reads GGUF v2 and v3: memory-mapped, every field checked before it is used, split files opened as one.
//
// Limits enforced (formats: container): strings <= 1 GiB, arrays <= 2^30 elements, names < 64 bytes, <= 4 dimensions,
// no empty or duplicate keys or tensors, offsets in file order without gaps, the last tensor inside the file.
// An Error names the file, the tensor or key, and the reason in one sentence. Thread rules: const use from many threads.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/metadata.h"
#include "quant/format.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// One tensor's name, shape and place.
struct TensorInfo {
	std::string name;
	uint32_t dimensions = 1;                  // 0 (a scalar) to 4, as written in the file
	std::array<uint64_t, 4> ne{1, 1, 1, 1};   // elements; ne[0] is the contiguous row length
	TensorType type = TensorType::F32;
	uint32_t shard = 0;                       // which file of a split model
	uint64_t offset = 0;                      // bytes from the start of that shard's data section
	uint64_t bytes = 0;                       // without padding

	uint64_t rows() const { return ne[1] * ne[2] * ne[3]; }
	uint64_t elements() const { return ne[0] * rows(); }
	uint64_t rowBytes() const { return rows() ? bytes / rows() : 0; }
};

class GgufFile {
public:
	/// Opens one file, or all of a split when `path` is one of NAME-00001-of-0000N.gguf.
	static Result<GgufFile> open(const std::filesystem::path& path);

	/// Parses a file image in memory (no splits): for tests and fuzzers. The bytes must outlive the result.
	/// `name` stands for the file in errors.
	static Result<GgufFile> parse(Bytes image, std::string name);

	GgufFile(GgufFile&&) noexcept;
	GgufFile& operator=(GgufFile&&) noexcept;
	~GgufFile();

	uint32_t version() const;
	uint32_t alignment() const;                    // general.alignment, default 32
	const Metadata& metadata() const;              // of shard 0 (split.* keys included)
	std::span<const TensorInfo> tensors() const;   // in file order, shard after shard
	const TensorInfo* findTensor(std::string_view name) const;

	uint32_t shardCount() const;
	const std::filesystem::path& shardPath(uint32_t shard) const;
	uint64_t shardFileBytes(uint32_t shard) const;
	uint64_t dataStart(uint32_t shard) const;      // bytes from the start of the file

	/// The tensor's bytes in the map. Page-cache backed; reading may fault pages in.
	Bytes data(const TensorInfo& tensor) const;
	/// kIo when pages of any shard had gone when they were touched through data() (MappedFile::intact()).
	Result<void> intact() const;
	/// Copies bytes of the tensor through the file descriptor: a file cut short meanwhile is kIo at once.
	Result<void> read(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes, std::byte* out) const;
	/// Tells the kernel that these rows will be wanted soon / not again (page cache hints; no effect on correctness).
	void willNeed(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes) const;
	void doneWith(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes) const;

private:
	struct Impl;
	explicit GgufFile(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
