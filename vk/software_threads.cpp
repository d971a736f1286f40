#include "vk/software_threads.h"

#include <cstdlib>

namespace vkq::vk {

void chooseSoftwareThreads(uint64_t model_bytes) {
	// A core reads some 8 GB/s of weights: 16 MiB take 2 ms, about what handing over a hundred dispatches takes.
	constexpr uint64_t kQuickerAlone = 16u << 20;
	constexpr const char* kVariable = "LP_NUM_THREADS";
	static const bool users_own = std::getenv(kVariable) != nullptr;
	if (users_own) return;
	if (model_bytes < kQuickerAlone) ::setenv(kVariable, "0", 1);
	else ::unsetenv(kVariable);
}

}  // namespace vkq::vk
