// Writes GGUF v3: the header first, complete; then tensor bytes at the places that it promised. One file, or a split of several.
//
// Files grow under temporary names (OUTPUT.partial) beside the output; free disk space is checked before the first byte;
// finish() syncs and renames. Without finish() the destructor removes the temporary files, unless keepPartial().
// Positional writes: tensors may be written in any order, in pieces, and from several threads.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_layout.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace vkq {

class GgufWriter {
public:
	/// Checks the folder and free space, creates OUTPUT.partial, writes the header. kExists if the output exists and not `overwrite`.
	static Result<GgufWriter> create(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout, bool overwrite);
	/// The same for an output of several files (ggufio/gguf_layout.h: layOutShards).
	static Result<GgufWriter> create(std::vector<GgufShard> shards, bool overwrite);

	/// Opens what an interrupted run left (it called keepPartial(), or was killed). kNotFound if a partial file is missing,
	/// kInvalidData if one was begun for another header: other settings, another source. The partial files stay in any case,
	/// as if keepPartial() had been called. What they hold already, the caller knows (a journal) and tells by alreadyWritten().
	static Result<GgufWriter> resume(std::vector<GgufShard> shards, bool overwrite);
	static Result<GgufWriter> resume(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout, bool overwrite);

	GgufWriter(GgufWriter&&) noexcept;
	GgufWriter& operator=(GgufWriter&&) noexcept;
	~GgufWriter();

	uint32_t shardCount() const;
	const GgufLayout& layout(uint32_t shard = 0) const;
	const std::filesystem::path& partialPath(uint32_t shard = 0) const;
	uint64_t fileBytes() const;   // of all shards

	/// Puts `bytes` at byte `at` of the model's tensor `index`. Padding after a tensor's end is zeros without being written.
	Result<void> write(size_t index, uint64_t at, Bytes bytes);
	/// Counts bytes that a resumed file holds already.
	void alreadyWritten(size_t index, uint64_t bytes);
	/// What was written, or lay there: to check a journal's word.
	Result<void> readBack(size_t index, uint64_t at, uint64_t bytes, std::byte* out) const;

	/// Data reached the disk (fdatasync): what a resume journal must wait for.
	Result<void> sync();

	/// fsync, rename to the output, fsync of the folder. Refuses when fewer bytes were written than the tensors have.
	Result<void> finish();

	/// Leave the temporary files where they are, for a later resume.
	void keepPartial();

private:
	struct Impl;
	explicit GgufWriter(std::unique_ptr<Impl> impl);
	static Result<GgufWriter> open(std::vector<GgufShard> shards, bool overwrite, bool resume);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
