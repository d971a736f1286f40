#include "ggufio/fp8.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace vkq;

TEST(Fp8, HasTheValueOfItsBits) {
	for (int code = 0; code < 256; ++code) {
		const int exponent = code >> 3 & 15, mantissa = code & 7;
		const float value = e4m3ToFloat(uint8_t(code));
		EXPECT_EQ(std::signbit(value), code >= 128) << code;
		if (exponent == 15 && mantissa == 7) EXPECT_TRUE(std::isnan(value)) << code;
		else EXPECT_EQ(std::fabs(value), exponent ? std::ldexp(1.0f + float(mantissa) / 8.0f, exponent - 7) : std::ldexp(float(mantissa) / 8.0f, -6)) << code;
	}
	EXPECT_EQ(e4m3ToFloat(0x7e), 448.0f);
}

TEST(Fp8, MultipliesEachBlockOfColumnsByItsScale) {
	const std::vector<std::byte> row(7, std::byte(0x38));
	const std::vector<float> scales{2.0f, 3.0f, 5.0f};
	std::vector<float> out(7);
	decodeFp8Row(row, scales, 3, out.data());
	EXPECT_EQ(out, (std::vector<float>{2, 2, 2, 3, 3, 3, 5}));
}
