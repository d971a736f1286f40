#include "ggufio/mapped_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vkq {

namespace {

uint64_t pageBytes() {
	static const uint64_t bytes = uint64_t(::sysconf(_SC_PAGESIZE));
	return bytes;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
	MappedFile file;
	file.path_ = path;
	// Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
	file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file.descriptor_ < 0) {
		const int reason = errno;
		if (reason == ENOENT || reason == ENOTDIR) return fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()));
		return fail(ErrorCode::kIo, fmt::format("{}: cannot be opened: {}", path.string(), std::strerror(reason)));
	}
	struct stat status;
	if (::fstat(file.descriptor_, &status) != 0)
		return fail(ErrorCode::kIo, fmt::format("{}: cannot be inspected: {}", path.string(), std::strerror(errno)));
	if (S_ISDIR(status.st_mode)) return fail(ErrorCode::kIo, fmt::format("{}: is a folder, not a file", path.string()));
	if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kIo, fmt::format("{}: is not a regular file", path.string()));
	if (status.st_size == 0) return file;   // an empty map does not exist
	void* map = ::mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_SHARED, file.descriptor_, 0);
	if (map == MAP_FAILED) return fail(ErrorCode::kIo, fmt::format("{}: cannot be mapped: {}", path.string(), std::strerror(errno)));
	file.bytes_ = Bytes(static_cast<const std::byte*>(map), size_t(status.st_size));
	file.watched_ = WatchedRange(map, size_t(status.st_size));
	return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), bytes_(std::exchange(other.bytes_, {})),
      watched_(std::move(other.watched_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
	std::swap(path_, other.path_);
	std::swap(descriptor_, other.descriptor_);
	std::swap(bytes_, other.bytes_);
	std::swap(watched_, other.watched_);
	return *this;
}

MappedFile::~MappedFile() {
	watched_ = WatchedRange();   // before its addresses are somebody else's
	if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
	if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> MappedFile::readAt(uint64_t offset, uint64_t count, std::byte* out) const {
	while (count != 0) {
		const ssize_t got = ::pread(descriptor_, out, size_t(std::min<uint64_t>(count, uint64_t(1) << 30)), off_t(offset));
		if (got < 0 && errno == EINTR) continue;
		if (got < 0) return fail(ErrorCode::kIo, fmt::format("{}: cannot be read at byte {}: {}", path_.string(), offset, std::strerror(errno)));
		if (got == 0)
			return fail(ErrorCode::kIo, fmt::format("{}: has become shorter while it was read: nothing left at byte {}", path_.string(), offset));
		offset += uint64_t(got);
		count -= uint64_t(got);
		out += got;
	}
	return {};
}

Result<void> MappedFile::intact() const {
	if (bytes_.empty()) return {};
	// A file that ends within a page has zeros behind its end, and no signal tells: its size does.
	struct stat status;
	if (!watched_.lost() && ::fstat(descriptor_, &status) == 0 && uint64_t(status.st_size) >= bytes_.size()) return {};
	return fail(ErrorCode::kIo, fmt::format("{}: has become shorter while it was read, or its disk has failed", path_.string()));
}

void MappedFile::willNeed(uint64_t offset, uint64_t count) const {
	if (count == 0 || offset >= bytes_.size()) return;
	const uint64_t first = offset & ~(pageBytes() - 1);
	const uint64_t end = std::min<uint64_t>(offset + count, bytes_.size());
	::madvise(const_cast<std::byte*>(bytes_.data() + first), end - first, MADV_WILLNEED);
}

void MappedFile::doneWith(uint64_t offset, uint64_t count) const {
	if (count == 0 || offset >= bytes_.size()) return;
	const uint64_t first = alignUp(offset, pageBytes());
	const uint64_t end = std::min<uint64_t>(offset + count, bytes_.size()) & ~(pageBytes() - 1);
	if (first >= end) return;
	// The pages leave this process's resident set. They stay in the page cache, which the kernel shrinks as it needs:
	// the next job on the same file finds them there.
	::madvise(const_cast<std::byte*>(bytes_.data() + first), end - first, MADV_DONTNEED);
}

}  // namespace vkq
