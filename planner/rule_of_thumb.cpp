#include "planner/rule_of_thumb.h"

#include "core/units.h"

#include <cmath>

namespace vkq {

ThumbAnswer ruleOfThumb(double billions, double overhead, uint64_t available) {
	ThumbAnswer answer;
	for (const auto& [type, bytes] : {std::pair<std::string_view, double>{"F16", 2.0}, {"Q8_0", 1.0}, {"Q5_K_M", 0.625}, {"Q4_K_M", 0.5}}) {
		const uint64_t total = uint64_t(std::ceil(billions * bytes * (1.0 + overhead) * double(kGiB)));
		answer.rows.push_back({type, bytes, total, total <= available});
		if (total <= available && !answer.recommended) answer.recommended = answer.rows.size() - 1;
	}
	if (!answer.recommended) answer.missing = answer.rows.back().bytes - available;
	return answer;
}

}  // namespace vkq
