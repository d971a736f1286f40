// The estimate that people do in their heads: parameters x bytes a weight x (1 + overhead). Kept because it is what published
// advice uses; it knows nothing of shapes, contexts or caches.
//
// A rule of thumb makes no difference between GB and GiB: a billion parameters count as 1 GiB at a byte a weight, as a card
// sold as "8 GB" counts as 8 GiB.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace vkq {

struct ThumbRow {
	std::string_view type;
	double bytes_per_weight;
	uint64_t bytes;       // with overhead
	bool fits;
};

struct ThumbAnswer {
	std::vector<ThumbRow> rows;          // best first: F16, Q8_0, Q5_K_M, Q4_K_M
	std::optional<size_t> recommended;   // the first that fits
	uint64_t missing = 0;                // bytes, for the smallest, when nothing fits
};

/// `overhead`: 0.2 for 20 %. `billions` and `available` > 0.
ThumbAnswer ruleOfThumb(double billions, double overhead, uint64_t available);

}  // namespace vkq
