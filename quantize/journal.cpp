#include "quantize/journal.h"

#include "core/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace vkq {

namespace {

Error ioError(const std::filesystem::path& path, const char* what) {
	const int code = errno;
	return fail(code == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kIo, fmt::format("{} {}: {}", what, quote(path.string()), std::strerror(code)));
}

std::string readAll(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(in), {}};
}

/// Marks the tensors listed after the first line; whole lines only.
void readFinished(std::string_view lines, std::vector<bool>& finished) {
	for (size_t at = 0, end; (end = lines.find('\n', at)) != std::string_view::npos; at = end + 1) {
		size_t index = 0;
		const auto [last, error] = std::from_chars(lines.data() + at, lines.data() + end, index);
		if (error == std::errc() && last == lines.data() + end && index < finished.size()) finished[index] = true;
	}
}

}  // namespace

Result<Journal> Journal::open(const std::filesystem::path& output, const std::string& fingerprint, size_t tensors) {
	Journal journal;
	journal.path_ = output;
	journal.path_ += ".journal";
	journal.finished_.resize(tensors);
	const std::string head = "vkquant journal 1 " + fingerprint + "\n";
	const std::string text = readAll(journal.path_);
	journal.continues_ = text.starts_with(head);
	if (journal.continues_) readFinished(std::string_view(text).substr(head.size()), journal.finished_);

	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (journal.continues_ ? O_APPEND : O_TRUNC);
	journal.file_ = ::open(journal.path_.c_str(), flags, 0644);
	if (journal.file_ < 0) return ioError(journal.path_, "cannot write the journal");
	// A line torn by the interruption would swallow the next one.
	const std::string start = journal.continues_ ? (text.ends_with('\n') ? "" : "\n") : head;
	if (::write(journal.file_, start.data(), start.size()) != ssize_t(start.size())) return ioError(journal.path_, "cannot write the journal");
	return journal;
}

Journal::Journal(Journal&& other) noexcept { *this = std::move(other); }

Journal& Journal::operator=(Journal&& other) noexcept {
	std::swap(path_, other.path_);
	std::swap(file_, other.file_);
	std::swap(continues_, other.continues_);
	std::swap(finished_, other.finished_);
	return *this;
}

Journal::~Journal() {
	if (file_ >= 0) ::close(file_);
}

Result<void> Journal::add(const std::vector<size_t>& tensors) {
	std::string lines;
	for (const size_t index : tensors) lines += std::to_string(index) + "\n";
	if (::write(file_, lines.data(), lines.size()) != ssize_t(lines.size()) || ::fdatasync(file_) != 0) return ioError(path_, "cannot write the journal");
	return {};
}

void Journal::remove() {
	std::error_code ignored;
	std::filesystem::remove(path_, ignored);
}

}  // namespace vkq
