// Plain fork-join over host threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace vkq {

/// Calls body(i) for i in [0, count), each once, on up to `threads` threads (the caller's included). `body` must not throw.
template <class Body>
void parallelFor(unsigned threads, size_t count, Body body) {
	std::atomic<size_t> next{0};
	const auto work = [&] {
		for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) body(i);
	};
	const size_t helpers = std::min<size_t>(threads > 0 ? threads - 1 : 0, count > 0 ? count - 1 : 0);
	std::vector<std::thread> pool;
	pool.reserve(helpers);
	for (size_t i = 0; i < helpers; ++i) pool.emplace_back(work);
	work();
	for (std::thread& thread : pool) thread.join();
}

}  // namespace vkq
