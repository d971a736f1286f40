// A file mapped for reading, and closed and unmapped when it goes.
//
// The map is what zero-copy paths use. Where another process cuts the file short meanwhile, touching the lost pages reads zeros in
// programs that guard against it (ggufio/lost_pages.h), and intact() tells; readAt() goes through the descriptor and reports it at once.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "ggufio/lost_pages.h"

#include <cstdint>
#include <filesystem>

namespace vkq {

class MappedFile {
public:
	/// Errors name the path and say why: missing, a folder, no permission, not a regular file.
	static Result<MappedFile> open(const std::filesystem::path& path);

	MappedFile() = default;
	MappedFile(MappedFile&& other) noexcept;
	MappedFile& operator=(MappedFile&& other) noexcept;
	~MappedFile();

	const std::filesystem::path& path() const { return path_; }
	Bytes bytes() const { return bytes_; }

	/// Copies `count` bytes from `offset` to `out`; kIo when the file no longer has them. Any thread.
	Result<void> readAt(uint64_t offset, uint64_t count, std::byte* out) const;

	/// kIo when the file is shorter than it was, or pages that were touched through bytes() had gone: whatever was made of them is
	/// worthless. Any thread.
	Result<void> intact() const;

	/// Page-cache hints for a byte range, rounded to pages inward where pages would be dropped. Any thread.
	void willNeed(uint64_t offset, uint64_t count) const;
	void doneWith(uint64_t offset, uint64_t count) const;

private:
	std::filesystem::path path_;
	int descriptor_ = -1;
	Bytes bytes_;
	WatchedRange watched_;
};

}  // namespace vkq
