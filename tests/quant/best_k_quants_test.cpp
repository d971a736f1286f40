// The best searches of the k-quants: what they gain on the reference's, and that nothing odd comes of odd weights.
#include "quant/codec.h"
#include "tests/quant/adversarial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace vkq;

namespace {

using T = TensorType;
constexpr uint64_t kElements = 1024;
constexpr T kTypes[] = {T::Q2_K, T::Q3_K, T::Q4_K, T::Q5_K, T::Q6_K};

std::vector<std::byte> encoded(T type, const std::vector<float>& x, Search search, const float* importance = nullptr) {
	std::vector<std::byte> bytes(*typeBytes(type, x.size()));
	encodeRow(type, x.data(), x.size(), importance, bytes.data(), search);
	return bytes;
}

std::vector<float> decoded(T type, const std::vector<float>& x, Search search, const float* importance = nullptr) {
	std::vector<float> y(x.size());
	decodeRow(type, encoded(type, x, search, importance).data(), x.size(), y.data());
	return y;
}

/// Squared error of one super-block, weighed by the roots of the importances.
double errorOf(const std::vector<float>& x, const std::vector<float>& y, uint64_t first, const float* importance = nullptr, uint64_t count = 256) {
	double error = 0;
	for (uint64_t i = first; i < first + count; ++i)
		error += (importance ? std::sqrt(double(importance[i])) : 1.0) * (double(x[i]) - y[i]) * (double(x[i]) - y[i]);
	return error;
}

std::vector<float> ordinary(uint64_t elements) {
	std::mt19937 random(17);
	std::normal_distribution<float> normal(0, 0.02f);
	std::vector<float> x(elements);
	for (float& value : x) value = normal(random);
	return x;
}

}  // namespace

TEST(BestKQuants, AllHaveAnEncoderThatUsesImportance) {
	for (const T type : kTypes) {
		EXPECT_TRUE(hasBestSearch(type)) << typeName(type);
		EXPECT_TRUE(usesImportance(type, Search::kBest)) << typeName(type);
	}
}

TEST(BestKQuants, LowerTheErrorOfOrdinaryWeights) {
	// Shares of the reference's squared error that lie just above what is reached, and of the worst super-block.
	struct Bound {
		T type;
		double share, worst;
	};
	const auto x = ordinary(1 << 16);
	for (const auto& [type, share, worst] : {Bound{T::Q2_K, 0.79, 0.93}, {T::Q3_K, 0.93, 1.0}, {T::Q4_K, 0.97, 1.03}, {T::Q5_K, 0.92, 1.03}, {T::Q6_K, 0.92, 1.0}}) {
		const auto reference = decoded(type, x, Search::kReference), best = decoded(type, x, Search::kBest);
		EXPECT_LE(errorOf(x, best, 0, nullptr, x.size()) / errorOf(x, reference, 0, nullptr, x.size()), share) << typeName(type);
		for (uint64_t at = 0; at < x.size(); at += 256) EXPECT_LE(errorOf(x, best, at), worst * errorOf(x, reference, at)) << typeName(type) << ", super-block " << at / 256;
	}
}

TEST(BestKQuants, LowerTheWeightedErrorToo) {
	const auto x = ordinary(1 << 15);
	for (const auto& importance : adversarial::importances(1 << 15)) {
		if (importance.name != "like activations") continue;
		const float* weights = importance.values.data();
		for (const T type : kTypes) {
			const double best = errorOf(x, decoded(type, x, Search::kBest, weights), 0, weights, x.size());
			EXPECT_LT(best, errorOf(x, decoded(type, x, Search::kReference, weights), 0, weights, x.size())) << typeName(type);
			EXPECT_LT(best, errorOf(x, decoded(type, x, Search::kBest), 0, weights, x.size())) << typeName(type);
		}
	}
}

TEST(BestKQuants, DoLittleHarmWhereTheReferenceHappensToFitBetter) {
	// Its solution is not among those tried: a few odd blocks come out worse, by a thousandth of what is in them at most.
	for (const auto& row : adversarial::rows(kElements))
		for (const T type : kTypes) {
			const auto reference = decoded(type, row.values, Search::kReference), best = decoded(type, row.values, Search::kBest);
			for (uint64_t at = 0; at < kElements; at += 256) {
				double power = 0;
				for (uint64_t i = at; i < at + 256; ++i) power += double(row.values[i]) * row.values[i];
				EXPECT_LE(errorOf(row.values, best, at), 1.03 * errorOf(row.values, reference, at) + 1e-3 * power) << typeName(type) << ", " << row.name << ", super-block " << at / 256;
			}
		}
}

TEST(BestKQuants, KeepZerosZero) {
	for (const auto& row : adversarial::rows(kElements)) {
		if (row.name != "zeros" && row.name != "negative zeros") continue;
		for (const T type : kTypes)
			for (const auto& importance : adversarial::importances(kElements)) {
				const auto y = decoded(type, row.values, Search::kBest, importance.values.data());
				EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; })) << typeName(type) << ", " << row.name << ", " << importance.name;
			}
	}
}

TEST(BestKQuants, TakeColumnsOfOneImportanceAsAllAlike) {
	const auto x = ordinary(kElements);
	const std::vector<float> none(kElements), ones(kElements, 1.0f);
	for (const T type : kTypes) {
		EXPECT_EQ(encoded(type, x, Search::kBest, none.data()), encoded(type, x, Search::kBest)) << typeName(type);
		EXPECT_EQ(encoded(type, x, Search::kBest, ones.data()), encoded(type, x, Search::kBest)) << typeName(type);
	}
}

TEST(BestKQuants, EncodeBlocksIndependentlyOfTheirNeighbours) {
	const auto importances = adversarial::importances(kElements);
	for (const auto& row : adversarial::rows(kElements))
		for (const T type : kTypes)
			for (const float* weights : {static_cast<const float*>(nullptr), importances[2].values.data()}) {
				const auto whole = encoded(type, row.values, Search::kBest, weights);
				std::vector<std::byte> parts(whole.size());
				for (uint64_t at = 0; at < kElements; at += 256)
					encodeRow(type, row.values.data() + at, 256, weights ? weights + at : nullptr, parts.data() + *typeBytes(type, at), Search::kBest);
				ASSERT_EQ(parts, whole) << typeName(type) << ", " << row.name;
			}
}

TEST(BestKQuants, StayFiniteAndBoundedOnAdversarialRows) {
	for (const auto& row : adversarial::rows(kElements)) {
		float largest = 0;
		for (const float v : row.values) largest = std::max(largest, std::fabs(v));
		for (const auto& importance : adversarial::importances(kElements))
			for (const T type : kTypes) {
				const auto bytes = encoded(type, row.values, Search::kBest, importance.values.data());
				ASSERT_TRUE(scalesAreFinite(type, bytes.data(), kElements)) << typeName(type) << ", " << row.name << ", " << importance.name;
				for (const float v : decoded(type, row.values, Search::kBest, importance.values.data()))
					ASSERT_LE(std::fabs(v), largest * 2 + 0x1p-14f) << typeName(type) << ", " << row.name << ", " << importance.name;
			}
	}
}

TEST(BestKQuants, LetScalesOverflowThatDoNotFitAHalf) {
	for (const auto& row : adversarial::overflowingRows(kElements))
		for (const T type : kTypes) EXPECT_FALSE(scalesAreFinite(type, encoded(type, row.values, Search::kBest).data(), kElements)) << typeName(type) << ", " << row.name;
}
