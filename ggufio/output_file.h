// A file that appears under its name only when it is complete.
//
// It grows as NAME.partial beside its final place, its blocks reserved at the start; finish() syncs and renames. Without
// finish() the destructor removes it, unless keep() was called. Another process that writes the same output is noticed.
#pragma once

#include "core/bytes.h"
#include "core/result.h"

#include <cstdint>
#include <filesystem>

namespace vkq {

/// Whether `folder` has room for `bytes` more. kDiskFull names needed and available bytes; kNotFound a missing folder.
Result<void> checkFreeSpace(const std::filesystem::path& folder, uint64_t bytes);

/// Bytes on disk of the output's partial file, which a new attempt takes over; 0 if there is none.
uint64_t partialBytesOnDisk(const std::filesystem::path& output);

class OutputFile {
public:
	/// Creates NAME.partial (or takes over one that a killed process left), `bytes` long, all zeros.
	/// kExists if the output exists and not `overwrite`; kDiskFull if the blocks cannot be reserved.
	static Result<OutputFile> create(const std::filesystem::path& output, uint64_t bytes, bool overwrite);

	/// Opens the NAME.partial that an earlier run left, as it is. kNotFound if there is none, kInvalidData if it is not `bytes` long.
	static Result<OutputFile> resume(const std::filesystem::path& output, uint64_t bytes, bool overwrite);

	OutputFile(OutputFile&& other) noexcept;
	OutputFile& operator=(OutputFile&& other) noexcept;
	~OutputFile();

	const std::filesystem::path& path() const { return output_; }
	const std::filesystem::path& partialPath() const { return partial_; }

	/// Positional; any thread.
	Result<void> writeAt(uint64_t offset, Bytes bytes);
	Result<void> readAt(uint64_t offset, uint64_t count, std::byte* out) const;

	/// Everything written so far is on the disk.
	Result<void> sync();
	/// fsync, rename, fsync of the folder.
	Result<void> finish();
	/// Leave NAME.partial where it is.
	void keep() { keep_ = true; }

private:
	OutputFile() = default;
	Result<void> openPartial(const std::filesystem::path& output, bool overwrite, bool must_exist);

	std::filesystem::path output_, partial_;
	int descriptor_ = -1;
	bool overwrite_ = false;
	bool keep_ = false;
};

}  // namespace vkq
