#include "core/units.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(Units, BytesNameTheirBinaryUnit) {
	EXPECT_EQ(formatBytes(0), "0 B");
	EXPECT_EQ(formatBytes(1023), "1023 B");
	EXPECT_EQ(formatBytes(1024), "1.00 KiB");
	EXPECT_EQ(formatBytes(512 * kMiB), "512.00 MiB");
	EXPECT_EQ(formatBytes(kGiB * 341 / 100), "3.41 GiB");
	EXPECT_EQ(formatBytes(UINT64_MAX), "16777216.00 TiB");
}

TEST(Units, CountsAreExactWhileSmall) {
	EXPECT_EQ(formatCount(0), "0");
	EXPECT_EQ(formatCount(2048), "2,048");
	EXPECT_EQ(formatCount(32'000), "32.0 k");
	EXPECT_EQ(formatCount(618'200'000), "618.2 M");
	EXPECT_EQ(formatCount(6'738'415'616), "6.74 G");
	EXPECT_EQ(formatExact(1'234'567), "1,234,567");
	EXPECT_EQ(formatExact(123), "123");
}

TEST(Units, SecondsGrowIntoMinutesAndHours) {
	EXPECT_EQ(formatSeconds(0.42), "0.42 s");
	EXPECT_EQ(formatSeconds(12.34), "12.3 s");
	EXPECT_EQ(formatSeconds(125), "2 min 05 s");
	EXPECT_EQ(formatSeconds(3720), "1 h 02 min");
}

TEST(Units, ParsesSizesAsUsersWriteThem) {
	EXPECT_EQ(*parseBytes("8", kGiB), 8 * kGiB);
	EXPECT_EQ(*parseBytes("8GiB", 1), 8 * kGiB);
	EXPECT_EQ(*parseBytes("8gb", 1), 8'000'000'000u);
	EXPECT_EQ(*parseBytes("8 GB", 1), 8'000'000'000u);
	EXPECT_EQ(*parseBytes("2G", 1), 2'000'000'000u);
	EXPECT_EQ(*parseBytes("512MiB", kGiB), 512 * kMiB);
	EXPECT_EQ(*parseBytes("7.5", kGiB), kGiB * 15 / 2);
	EXPECT_EQ(*parseBytes("17 B", kGiB), 17u);
}

TEST(Units, RefusesWhatIsNoSize) {
	for (const char* text : {"", "GiB", "8 apples", "-1", "8GiBs", "nan", "inf", "1e400", "8 i", "ib", "1.2.3", "0x10"})
		EXPECT_EQ(parseBytes(text, 1).ok(), false) << text;
	EXPECT_EQ(parseBytes("99999999 TiB", 1).error().code, ErrorCode::kUsage);
}
