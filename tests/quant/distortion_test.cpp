#include "quant/distortion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace vkq;

TEST(Distortion, IsZeroForEqualWeights) {
	const std::vector<float> x{1, -2, 3};
	Distortion d;
	d.add(x.data(), x.data(), x.size());
	EXPECT_EQ(d.rmse(), 0);
	EXPECT_EQ(d.relativeRmse(), 0);
	EXPECT_EQ(d.maxError(), 0);
	EXPECT_DOUBLE_EQ(d.cosine(), 1);
}

TEST(Distortion, MeasuresErrorsByHand) {
	const std::vector<float> x{3, 4, 0, 0}, y{3, 2, 0, 1}, importance{1, 0, 0, 2};
	Distortion d;
	d.add(x.data(), y.data(), x.size(), importance.data());
	EXPECT_DOUBLE_EQ(d.rmse(), std::sqrt(5.0 / 4));
	EXPECT_DOUBLE_EQ(d.relativeRmse(), std::sqrt(5.0 / 25));
	EXPECT_EQ(d.maxError(), 2);
	EXPECT_DOUBLE_EQ(d.cosine(), 17 / (5 * std::sqrt(14.0)));
	EXPECT_DOUBLE_EQ(d.weightedRelativeRmse(), std::sqrt(2.0 / 9));
	EXPECT_TRUE(d.hasImportance());
}

TEST(Distortion, FindsTheWorstBlockAcrossSlabs) {
	std::vector<float> x(256), y(256);
	y[130] = 0.5f;
	y[200] = 0.25f;
	Distortion whole, first, second;
	whole.add(x.data(), y.data(), 256);
	first.add(x.data(), y.data(), 96);
	second.add(x.data() + 96, y.data() + 96, 160);
	first.merge(second);
	for (const Distortion& d : {whole, first}) {
		EXPECT_EQ(d.worstBlock().first, 128u);
		EXPECT_DOUBLE_EQ(d.worstBlock().rmse, 0.5 / std::sqrt(32.0));
		EXPECT_EQ(d.count(), 256u);
	}
	EXPECT_DOUBLE_EQ(first.rmse(), whole.rmse());
}

TEST(Distortion, ShowsWhatIsNotANumber) {
	const std::vector<float> x(100, 1.0f);
	std::vector<float> y = x;
	y[70] = 2;
	y[33] = std::numeric_limits<float>::quiet_NaN();
	Distortion d;
	d.add(x.data(), y.data(), y.size());
	EXPECT_TRUE(std::isnan(d.rmse()));
	EXPECT_TRUE(std::isnan(d.maxError()));
	EXPECT_EQ(d.worstBlock().first, 32u);
}

TEST(Distortion, HasAnswersForZerosAndNothing) {
	Distortion d;
	EXPECT_EQ(d.rmse(), 0);
	EXPECT_EQ(d.cosine(), 1);
	const float zero = 0, one = 1;
	d.add(&zero, &one, 1);
	EXPECT_TRUE(std::isinf(d.relativeRmse()));
	EXPECT_EQ(d.cosine(), 0);
}
