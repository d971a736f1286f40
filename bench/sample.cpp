#include "bench/sample.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace vkq::bench {

double wallSeconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpuSeconds() {
	timespec time{};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

Result<Sample> sample(vk::CommandBuffer& commands, uint32_t repeat) {
	Sample best;
	for (uint32_t i = 0; i <= repeat; ++i) {
		const double wall = wallSeconds(), cpu = cpuSeconds();
		VKQ_CHECK(commands.submitAndWait());
		if (i == 0) {
			best.first = wallSeconds() - wall;
			continue;
		}
		best.wall = std::min(best.wall, wallSeconds() - wall);
		best.cpu = std::min(best.cpu, cpuSeconds() - cpu);
	}
	return best;
}

}  // namespace vkq::bench
