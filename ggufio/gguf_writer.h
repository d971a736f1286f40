// Writes GGUF v3: the header first, complete; then tensor bytes at the places that it promised.
//
// The file grows under a temporary name (OUTPUT.partial) beside the output; free disk space is checked before the first
// byte; finish() syncs and renames. Without finish() the destructor removes the temporary file, unless keepPartial().
// Positional writes: tensors may be written in any order, in pieces, and from several threads.
#pragma once

#include "core/result.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/metadata.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace vkq {

/// What the writer will put where: computed without touching the disk, so that sizes are known exactly in advance.
struct GgufLayout {
	std::vector<TensorInfo> tensors;   // offset and bytes filled in
	uint64_t header_bytes = 0;         // magic, metadata, tensor infos, padding: where data starts
	uint64_t file_bytes = 0;           // all of it; every tensor padded to `alignment`
	uint32_t alignment = 32;
};

/// Lays out one file. `tensors` give name, dimensions, ne and type; they keep their order.
Result<GgufLayout> layOutGguf(const Metadata& metadata, std::vector<TensorInfo> tensors);

/// The header's bytes exactly as written (layout.header_bytes long).
std::vector<std::byte> ggufHeader(const Metadata& metadata, const GgufLayout& layout);

class GgufWriter {
public:
	/// Checks the folder and free space, creates OUTPUT.partial, writes the header. kExists if the output exists and not `overwrite`.
	static Result<GgufWriter> create(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout, bool overwrite);

	GgufWriter(GgufWriter&&) noexcept;
	GgufWriter& operator=(GgufWriter&&) noexcept;
	~GgufWriter();

	const GgufLayout& layout() const;
	const std::filesystem::path& partialPath() const;

	/// Puts `bytes` at byte `at` of tensor `index`. Padding after the tensor's end is written as zeros by the writer.
	Result<void> write(size_t index, uint64_t at, Bytes bytes);

	/// Data reached the disk (fdatasync): what a resume journal must wait for.
	Result<void> sync();

	/// fsync, rename to the output, fsync of the folder. All tensors must have been written completely (asserted by byte count).
	Result<void> finish();

	/// Leave the temporary file where it is, for a later resume.
	void keepPartial();

private:
	struct Impl;
	explicit GgufWriter(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
