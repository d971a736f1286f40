#include "core/units.h"
#include "planner/rule_of_thumb.h"

#include <gtest/gtest.h>

using namespace vkq;

namespace {

TEST(RuleOfThumb, TakesTheLargestTypeThatFits) {
	EXPECT_EQ(ruleOfThumb(7, 0.2, 8 * kGiB).rows[*ruleOfThumb(7, 0.2, 8 * kGiB).recommended].type, "Q5_K_M");
	EXPECT_EQ(ruleOfThumb(34, 0.2, 24 * kGiB).rows[*ruleOfThumb(34, 0.2, 24 * kGiB).recommended].type, "Q4_K_M");
	EXPECT_EQ(ruleOfThumb(1, 0.2, 8 * kGiB).recommended, 0u);
}

TEST(RuleOfThumb, FitsExactlyAtItsOwnFigure) {
	EXPECT_EQ(ruleOfThumb(10, 0, 5 * kGiB).recommended, 3u);
	EXPECT_FALSE(ruleOfThumb(10, 0, 5 * kGiB - 1).recommended);
	EXPECT_EQ(ruleOfThumb(10, 0, 5 * kGiB - 1).missing, 1u);
}

}  // namespace
