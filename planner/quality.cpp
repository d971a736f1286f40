#include "planner/quality.h"

#include <algorithm>

namespace vkq {

namespace {

// Types without a figure stand where their bits a weight and the comparisons in llama.cpp's pull requests put them.
constexpr PublishedQuality kOrder[] = {
	{"F32", 0.0, 0.0},
	{"BF16", {}, {}},
	{"F16", 0.0, 0.0},
	{"Q8_0", 0.0026, 0.00136},
	{"Q6_K", 0.0217, 0.00545},
	{"Q5_K_L", {}, {}},
	{"Q5_K_M", 0.0569, 0.01076},
	{"Q5_K_S", 0.1049, 0.0166},
	{"Q5_1", 0.1062, {}},
	{"Q5_0", 0.1316, {}},
	{"Q4_K_L", {}, {}},
	{"Q4_K_M", 0.1754, {}},
	{"Q4_K_S", 0.2689, {}},
	{"IQ4_NL", {}, {}},
	{"IQ4_XS", {}, {}},
	{"Q4_1", 0.4511, {}},
	{"Q4_0", 0.4685, {}},
	{"Q3_K_L", 0.5562, {}},
	{"Q3_K_M", 0.6569, {}},
	{"Q3_K_S", 1.6321, {}},
	{"Q2_K", 3.5199, {}},
	{"Q2_K_S", 3.1836, {}},   // its figure is with an importance matrix, which it needs
};

}  // namespace

std::span<const PublishedQuality> qualityOrder() { return kOrder; }

const PublishedQuality* publishedQuality(std::string_view file_type) {
	const auto found = std::find_if(std::begin(kOrder), std::end(kOrder), [&](const PublishedQuality& q) { return q.type == file_type; });
	return found == std::end(kOrder) ? nullptr : found;
}

size_t qualityRank(std::string_view file_type) {
	const PublishedQuality* quality = publishedQuality(file_type);
	return quality ? size_t(quality - kOrder) : std::size(kOrder);
}

}  // namespace vkq
