#include "ggufio/lost_pages.h"

#include <array>
#include <atomic>
#include <csignal>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

namespace vkq {

namespace {

/// Read by the signal handler: plain atomics, no locks. A slot belongs to the range whose `end` is not 0; `taken` guards its making.
struct Slot {
	std::atomic<bool> taken = false, lost = false;
	std::atomic<uintptr_t> begin = 0, end = 0;
};

std::array<Slot, kWatchedRanges> slots;
uintptr_t page_bytes = 4096;

static_assert(std::atomic<uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free, "used in a signal handler");

extern "C" void onLostPage(int signal, siginfo_t* info, void*) {
	const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
	for (Slot& slot : slots) {
		if (address < slot.begin.load() || address >= slot.end.load()) continue;
		slot.lost.store(true);
		void* page = reinterpret_cast<void*>(address & ~(page_bytes - 1));
		if (::mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page) return;   // the access is tried again
	}
	std::signal(signal, SIG_DFL);   // not ours: happens again, and ends the process
}

}  // namespace

void guardLostPages() {
	page_bytes = uintptr_t(::sysconf(_SC_PAGESIZE));
	struct sigaction action = {};
	action.sa_sigaction = onLostPage;
	action.sa_flags = SA_SIGINFO;
	sigemptyset(&action.sa_mask);
	::sigaction(SIGBUS, &action, nullptr);
}

WatchedRange::WatchedRange(const void* begin, size_t bytes) {
	for (size_t i = 0; i < slots.size(); ++i) {
		if (slots[i].taken.exchange(true)) continue;
		slots[i].lost.store(false);
		slots[i].begin.store(reinterpret_cast<uintptr_t>(begin));
		slots[i].end.store(reinterpret_cast<uintptr_t>(begin) + bytes);
		slot_ = int(i);
		return;
	}
}

WatchedRange::WatchedRange(WatchedRange&& other) noexcept : slot_(std::exchange(other.slot_, -1)) {}

WatchedRange& WatchedRange::operator=(WatchedRange&& other) noexcept {
	std::swap(slot_, other.slot_);
	return *this;
}

WatchedRange::~WatchedRange() {
	if (slot_ < 0) return;
	Slot& slot = slots[size_t(slot_)];
	slot.end.store(0);
	slot.taken.store(false);
}

bool WatchedRange::lost() const { return slot_ >= 0 && slots[size_t(slot_)].lost.load(); }

}  // namespace vkq
