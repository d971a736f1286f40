#include "ggufio/output_file.h"

#include "core/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace vkq {

namespace {

/// A write as large as this is worth a request to the disk of its own.
constexpr uint64_t kWorthStarting = 256 << 10;

std::filesystem::path folderOf(const std::filesystem::path& path) { return path.has_parent_path() ? path.parent_path() : std::filesystem::path("."); }

std::filesystem::path partialOf(const std::filesystem::path& output) { return output.string() + ".partial"; }

bool isDiskFull(int reason) { return reason == ENOSPC || reason == EDQUOT; }

Error writeError(const std::filesystem::path& output, int reason) {
	if (isDiskFull(reason))
		return fail(ErrorCode::kDiskFull, fmt::format("{}: {}", output.string(), reason == EDQUOT ? "the disk quota is used up" : "the disk is full"),
		            "free some space, or write to another disk");
	if (reason == EFBIG) return fail(ErrorCode::kIo, fmt::format("{}: the file would be larger than the file system or a limit allows", output.string()));
	return fail(ErrorCode::kIo, fmt::format("{}: cannot be written: {}", output.string(), std::strerror(reason)));
}

}  // namespace

Result<void> checkFreeSpace(const std::filesystem::path& folder, uint64_t bytes) {
	struct statvfs status;
	if (::statvfs(folder.c_str(), &status) != 0) {
		const int reason = errno;
		if (reason == ENOENT || reason == ENOTDIR) return fail(ErrorCode::kNotFound, fmt::format("{}: no such folder", folder.string()));
		return fail(ErrorCode::kIo, fmt::format("{}: cannot be inspected: {}", folder.string(), std::strerror(reason)));
	}
	const uint64_t available = uint64_t(status.f_bavail) * status.f_frsize;
	if (bytes <= available) return {};
	return fail(ErrorCode::kDiskFull, fmt::format("{}: not enough disk space: {} needed, {} available", folder.string(), formatBytes(bytes), formatBytes(available)),
	            "free some space, or write to another disk");
}

uint64_t partialBytesOnDisk(const std::filesystem::path& output) {
	struct stat status;
	if (::lstat(partialOf(output).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
	return uint64_t(status.st_blocks) * 512;
}

Result<void> OutputFile::openPartial(const std::filesystem::path& output, bool overwrite, bool must_exist) {
	std::error_code ignored;
	const auto folder = folderOf(output);
	if (!std::filesystem::is_directory(folder, ignored)) return fail(ErrorCode::kNotFound, fmt::format("{}: no such folder", folder.string()));
	if (std::filesystem::is_directory(output, ignored)) return fail(ErrorCode::kUsage, fmt::format("{}: is a folder, not a file name", output.string()));
	if (!overwrite && std::filesystem::exists(output, ignored))
		return fail(ErrorCode::kExists, fmt::format("{}: exists already", output.string()), "--force replaces it");

	const auto partial = partialOf(output);
	while (true) {
		const int descriptor = ::open(partial.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (must_exist ? 0 : O_CREAT), 0666);
		if (descriptor < 0) {
			const int reason = errno;
			if (must_exist && reason == ENOENT)
				return fail(ErrorCode::kNotFound, fmt::format("{}: there is nothing to resume", output.string()), "start without --resume");
			if (reason == EACCES || reason == EROFS || reason == EPERM)
				return fail(ErrorCode::kIo, fmt::format("{}: no permission to write there: {}", folder.string(), std::strerror(reason)));
			return writeError(output, reason);
		}
		if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
			::close(descriptor);
			return fail(ErrorCode::kExists, fmt::format("{}: is being written by another process", output.string()));
		}
		// Between open and lock another process may have finished the file: then it is no longer the one of that name.
		struct stat opened, named;
		if (::fstat(descriptor, &opened) == 0 && ::lstat(partial.c_str(), &named) == 0 && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev) {
			if (!S_ISREG(opened.st_mode)) {
				::close(descriptor);
				return fail(ErrorCode::kIo, fmt::format("{}: is in the way and not a regular file", partial.string()));
			}
			descriptor_ = descriptor;
			output_ = output;
			partial_ = partial;
			overwrite_ = overwrite;
			return {};
		}
		::close(descriptor);
	}
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& output, uint64_t bytes, bool overwrite) {
	OutputFile file;
	VKQ_CHECK(file.openPartial(output, overwrite, false));
	if (::ftruncate(file.descriptor_, 0) != 0 || ::ftruncate(file.descriptor_, off_t(bytes)) != 0) return writeError(output, errno);
	// Reserving the blocks makes a full disk an error now instead of an hour from now, and outputs that are written at the
	// same time see each other's needs. Only where the file system does it by itself (ext4, xfs, btrfs, tmpfs: no time at all):
	// posix_fallocate() would write a byte into every block elsewhere.
	if (bytes != 0 && ::fallocate(file.descriptor_, 0, 0, off_t(bytes)) != 0 && isDiskFull(errno)) return writeError(output, errno);
	return file;
}

Result<OutputFile> OutputFile::resume(const std::filesystem::path& output, uint64_t bytes, bool overwrite) {
	OutputFile file;
	file.keep_ = true;   // a refusal must not cost the user what an earlier run achieved
	VKQ_CHECK(file.openPartial(output, overwrite, true));
	struct stat status;
	if (::fstat(file.descriptor_, &status) != 0) return writeError(output, errno);
	if (uint64_t(status.st_size) != bytes)
		return fail(ErrorCode::kInvalidData, fmt::format("{}: was begun with other settings: {} long instead of {}", file.partial_.string(),
		                                                 formatBytes(uint64_t(status.st_size)), formatBytes(bytes)),
		            "repeat the settings of the interrupted run, or start without --resume");
	return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : output_(std::move(other.output_)), partial_(std::move(other.partial_)), descriptor_(std::exchange(other.descriptor_, -1)),
      overwrite_(other.overwrite_), keep_(other.keep_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
	std::swap(output_, other.output_);
	std::swap(partial_, other.partial_);
	std::swap(descriptor_, other.descriptor_);
	std::swap(overwrite_, other.overwrite_);
	std::swap(keep_, other.keep_);
	return *this;
}

OutputFile::~OutputFile() {
	if (descriptor_ < 0) return;
	if (!keep_) ::unlink(partial_.c_str());
	::close(descriptor_);
}

Result<void> OutputFile::writeAt(uint64_t offset, Bytes bytes) {
	const uint64_t begin = offset, count = bytes.size();
	while (!bytes.empty()) {
		const ssize_t written = ::pwrite(descriptor_, bytes.data(), std::min<size_t>(bytes.size(), size_t(1) << 30), off_t(offset));
		if (written < 0 && errno == EINTR) continue;
		if (written < 0) return writeError(output_, errno);
		offset += uint64_t(written);
		bytes = bytes.subspan(size_t(written));
	}
	// The disk starts on it now, so that the sync at the end finds little left. A hint: errors come back from the sync.
	if (count >= kWorthStarting) ::sync_file_range(descriptor_, off_t(begin), off_t(count), SYNC_FILE_RANGE_WRITE);
	return {};
}

Result<void> OutputFile::readAt(uint64_t offset, uint64_t count, std::byte* out) const {
	while (count != 0) {
		const ssize_t got = ::pread(descriptor_, out, size_t(std::min<uint64_t>(count, uint64_t(1) << 30)), off_t(offset));
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) return fail(ErrorCode::kIo, fmt::format("{}: cannot be read back: {}", partial_.string(), got < 0 ? std::strerror(errno) : "it ends early"));
		offset += uint64_t(got);
		count -= uint64_t(got);
		out += got;
	}
	return {};
}

Result<void> OutputFile::sync() {
	while (::fdatasync(descriptor_) != 0)
		if (errno != EINTR) return writeError(output_, errno);
	return {};
}

Result<void> OutputFile::finish() {
	while (::fsync(descriptor_) != 0)
		if (errno != EINTR) return writeError(output_, errno);
	const unsigned flags = overwrite_ ? 0 : RENAME_NOREPLACE;
	int renamed = ::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, output_.c_str(), flags);
	// Network and FUSE file systems may not know the flag; the name was free when the file was begun.
	if (renamed != 0 && (errno == EINVAL || errno == ENOSYS)) renamed = ::rename(partial_.c_str(), output_.c_str());
	if (renamed != 0) {
		if (errno == EEXIST)
			return fail(ErrorCode::kExists, fmt::format("{}: was created by another process meanwhile", output_.string()), "--force replaces it");
		return writeError(output_, errno);
	}
	::close(std::exchange(descriptor_, -1));
	// The rename itself lasts only once the folder is on the disk. Some file systems cannot sync folders: no loss of data there.
	const int folder = ::open(folderOf(output_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0) {
		::fsync(folder);
		::close(folder);
	}
	return {};
}

}  // namespace vkq
