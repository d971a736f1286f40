#include "kernels/kv_cache.h"

#include "shaders/shared/transformer.h"

#include <algorithm>
#include <array>

namespace vkq {

const uint32_t kKeyInterleave = VKQ_KEY_INTERLEAVE;

std::span<const TensorType> cacheTypes() {
	using enum TensorType;
	static constexpr std::array kTypes{F32, F16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0, IQ4_NL};
	return kTypes;
}

bool isCacheType(TensorType type) {
	const auto types = cacheTypes();
	return std::find(types.begin(), types.end(), type) != types.end();
}

}  // namespace vkq
