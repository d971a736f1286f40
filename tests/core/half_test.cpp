#include "core/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace vkq;

TEST(Half, EveryFiniteHalfSurvivesTheRoundTrip) {
	for (uint32_t bits = 0; bits < 0x10000; ++bits) {
		const float value = halfToFloat(uint16_t(bits));
		if (std::isnan(value)) continue;
		ASSERT_EQ(floatToHalf(value), bits);
	}
}

TEST(Half, RoundsToTheNearerNeighbourAndTiesToEven) {
	for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
		const float low = halfToFloat(uint16_t(bits)), high = halfToFloat(uint16_t(bits + 1));
		const float middle = low + (high - low) / 2;  // exact: a half has 13 bits to spare
		ASSERT_EQ(floatToHalf(middle), bits & 1 ? bits + 1 : bits);
		ASSERT_EQ(floatToHalf(std::nextafter(middle, 0.0f)), bits);
		ASSERT_EQ(floatToHalf(std::nextafter(middle, 1e9f)), bits + 1);
		ASSERT_EQ(floatToHalf(-middle), 0x8000 | (bits & 1 ? bits + 1 : bits));
	}
}

TEST(Half, OverflowBecomesInfinityAndNanBecomesQuiet) {
	EXPECT_EQ(floatToHalf(65504.0f), 0x7bff);
	EXPECT_EQ(floatToHalf(65519.99f), 0x7bff);
	EXPECT_EQ(floatToHalf(65520.0f), 0x7c00);
	EXPECT_EQ(floatToHalf(-std::numeric_limits<float>::infinity()), 0xfc00);
	EXPECT_EQ(floatToHalf(std::numeric_limits<float>::quiet_NaN()), 0x7e00);
}

TEST(Bfloat, RoundsTiesToEvenAndKeepsSubnormals) {
	EXPECT_EQ(floatToBfloat(1.0f), 0x3f80);
	EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x3f808000u)), 0x3f80);
	EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x3f818000u)), 0x3f82);
	EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x00010000u)), 0x0001);
	EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
}
