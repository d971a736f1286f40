// Pages of a mapped file that are gone when they are touched: the file was cut short by another process, or its disk failed.
//
// The kernel tells by a signal, SIGBUS, in the thread that touched the page. With the guard on, the page reads as zeros from then on, the
// file remembers it, and whoever used the bytes asks MappedFile::intact() before trusting what came of them. Threads that block the
// signal, as those of drivers do, cannot be guarded: what they read in place is touched by a thread of ours just before.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vkq {

/// Installs the handler for SIGBUS, once for the process: a program's decision, not a library's. Ranges that are not watched, and
/// signals of other causes, end the process as they would without it.
void guardLostPages();

/// A watched range of addresses. Watching costs nothing until a page is lost. At most kWatchedRanges at a time; further ones are not watched.
inline constexpr size_t kWatchedRanges = 4096;

class WatchedRange {
public:
	WatchedRange() = default;
	WatchedRange(const void* begin, size_t bytes);
	WatchedRange(WatchedRange&& other) noexcept;
	WatchedRange& operator=(WatchedRange&& other) noexcept;
	~WatchedRange();

	/// Whether a page of the range was lost since watching began. Any thread.
	bool lost() const;

private:
	int slot_ = -1;
};

}  // namespace vkq
