#include "vk/software_vectors.h"

#include <cstdlib>

namespace vkq::vk {

namespace {

bool gainsFrom512Bits() {
#if defined(__x86_64__)
	__builtin_cpu_init();
	// Zen 4 and Zen 5 have the instructions, and both gain registers. Intel's Xeons were measured to win nothing.
	return __builtin_cpu_is("amd") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
	return false;
#endif
}

}  // namespace

void widenSoftwareVectors() {
	constexpr int kOnlyIfUnset = 0;
	if (gainsFrom512Bits()) ::setenv("LP_NATIVE_VECTOR_WIDTH", "512", kOnlyIfUnset);
}

}  // namespace vkq::vk
