// The best searches against the reference's: never a larger error, and how much a smaller one.
#include "quant/codec.h"
#include "tests/quant/adversarial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

using namespace vkq;

namespace {

using T = TensorType;
constexpr uint64_t kElements = 1024;

/// These begin with the reference's own scale, so that no block can come out worse. The searches on IQ4 values begin elsewhere.
constexpr T kNeverWorse[] = {T::Q4_0, T::Q4_1, T::Q5_0, T::Q5_1, T::Q8_0, T::MXFP4};
constexpr T kTypes[] = {T::Q4_0, T::Q4_1, T::Q5_0, T::Q5_1, T::Q8_0, T::MXFP4, T::IQ4_NL, T::IQ4_XS};

std::vector<std::byte> encode(T type, const std::vector<float>& x, Search search, const float* importance = nullptr) {
	std::vector<std::byte> bytes(*typeBytes(type, x.size()));
	encodeRow(type, x.data(), x.size(), importance, bytes.data(), search);
	return bytes;
}

std::vector<float> decode(T type, const std::vector<std::byte>& bytes, uint64_t elements) {
	std::vector<float> x(elements);
	decodeRow(type, bytes.data(), elements, x.data());
	return x;
}

struct Sums {
	double error = 0, power = 0;
};

Sums sums(const std::vector<float>& x, const std::vector<float>& y, uint64_t first, uint64_t count, const float* weight = nullptr) {
	Sums all;
	for (uint64_t i = first; i < first + count; ++i) {
		const double w = weight ? std::sqrt(double(weight[i])) : 1, difference = double(x[i]) - double(y[i]);
		all.error += w * difference * difference;
		all.power += w * double(x[i]) * double(x[i]);
	}
	return all;
}

std::vector<float> decoded(T type, const std::vector<float>& x, Search search, const float* importance = nullptr) { return decode(type, encode(type, x, search, importance), x.size()); }

}  // namespace

TEST(BestSearch, HasAnEncoderForThese) {
	for (const T type : kTypes) {
		EXPECT_TRUE(hasBestSearch(type)) << typeName(type);
		EXPECT_TRUE(usesImportance(type, Search::kBest)) << typeName(type);
	}
	EXPECT_FALSE(hasBestSearch(T::F16));
}

TEST(BestSearch, TakesTheReferencesEncoderForTheOthers) {
	const auto x = adversarial::rows(kElements)[0].values;
	for (const TypeInfo& info : allTypes())
		if (info.has_codec && !hasBestSearch(info.type)) {
			EXPECT_EQ(encode(info.type, x, Search::kBest), encode(info.type, x, Search::kReference)) << info.name;
		}
}

TEST(BestSearch, NeverMakesABlockWorse) {
	// Errors are compared in single precision, by sums of the weights' size, or of their range's: so much noise is allowed.
	const auto noise = [](T type) { return type == T::Q4_1 || type == T::Q5_1 ? 4e-6 : 2e-7; };
	for (const auto& row : adversarial::rows(kElements))
		for (const T type : kNeverWorse) {
			const auto reference = decoded(type, row.values, Search::kReference), best = decoded(type, row.values, Search::kBest);
			for (uint64_t at = 0; at < kElements; at += 32) {
				const Sums before = sums(row.values, reference, at, 32), after = sums(row.values, best, at, 32);
				ASSERT_LE(after.error, before.error * (1 + 1e-5) + noise(type) * before.power) << typeName(type) << ", " << row.name << ", block " << at / 32;
			}
		}
}

TEST(BestSearch, LowersTheErrorOfOrdinaryWeights) {
	// Shares of the reference's squared error that lie just above what is reached.
	const std::map<T, double> bounds = {{T::Q4_0, 0.90}, {T::Q4_1, 0.82}, {T::Q5_0, 0.90}, {T::Q5_1, 0.82}, {T::Q8_0, 0.92}, {T::MXFP4, 0.975}, {T::IQ4_NL, 0.95}, {T::IQ4_XS, 0.95}};
	for (const auto& row : adversarial::rows(1 << 15)) {
		if (!row.name.starts_with("normal weights")) continue;
		for (const T type : kTypes) {
			const Sums before = sums(row.values, decoded(type, row.values, Search::kReference), 0, row.values.size());
			const Sums after = sums(row.values, decoded(type, row.values, Search::kBest), 0, row.values.size());
			EXPECT_LE(after.error / before.error, bounds.at(type)) << typeName(type) << ", " << row.name;
			EXPECT_GE(after.error / before.error, bounds.at(type) - 0.1) << typeName(type) << ": the bound is too loose";
		}
	}
}

TEST(BestSearch, LowersTheWeightedErrorToo) {
	// Weighed as the best searches weigh; the reference weighs otherwise, and where the importances are almost equal it comes as near.
	const auto x = adversarial::rows(1 << 15)[0].values;
	for (const auto& importance : adversarial::importances(1 << 15)) {
		if (importance.name != "like activations" && importance.name != "large") continue;
		const float* weight = importance.values.data();
		for (const T type : kTypes) {
			const Sums unaware = sums(x, decoded(type, x, Search::kBest), 0, x.size(), weight);
			const Sums reference = sums(x, decoded(type, x, Search::kReference, weight), 0, x.size(), weight);
			const Sums best = sums(x, decoded(type, x, Search::kBest, weight), 0, x.size(), weight);
			EXPECT_LT(best.error, reference.error * 1.005) << typeName(type) << ", " << importance.name;
			EXPECT_LT(best.error, unaware.error) << typeName(type) << ", " << importance.name;
		}
	}
}

TEST(BestSearch, TakesColumnsOfNoImportanceAsAllAlike) {
	const auto x = adversarial::rows(kElements)[0].values;
	const std::vector<float> none(kElements), ones(kElements, 1.0f);
	for (const T type : kTypes) {
		EXPECT_EQ(encode(type, x, Search::kBest, none.data()), encode(type, x, Search::kBest)) << typeName(type);
		EXPECT_EQ(encode(type, x, Search::kBest, ones.data()), encode(type, x, Search::kBest)) << typeName(type);
	}
}

TEST(BestSearch, KeepsZerosZero) {
	for (const auto& row : adversarial::rows(kElements)) {
		if (row.name != "zeros" && row.name != "negative zeros") continue;
		for (const T type : kTypes)
			for (const auto& importance : adversarial::importances(kElements)) {
				const auto y = decoded(type, row.values, Search::kBest, importance.values.data());
				EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float v) { return v == 0; })) << typeName(type) << ", " << row.name << ", " << importance.name;
			}
	}
}

TEST(BestSearch, EncodesBlocksIndependentlyOfTheirNeighbours) {
	const auto all = adversarial::importances(kElements);
	for (const auto& row : adversarial::rows(kElements))
		for (const T type : kTypes)
			for (const float* weights : {static_cast<const float*>(nullptr), all[2].values.data()}) {
				const auto whole = encode(type, row.values, Search::kBest, weights);
				std::vector<std::byte> parts(whole.size());
				const uint64_t block = typeInfo(type).block_elements;
				for (uint64_t at = 0; at < kElements; at += block)
					encodeRow(type, row.values.data() + at, block, weights ? weights + at : nullptr, parts.data() + *typeBytes(type, at), Search::kBest);
				ASSERT_EQ(parts, whole) << typeName(type) << ", " << row.name;
			}
}

TEST(BestSearch, StaysFiniteAndBoundedOnAdversarialRows) {
	for (const auto& row : adversarial::rows(kElements)) {
		const float largest = std::fabs(*std::max_element(row.values.begin(), row.values.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
		for (const auto& importance : adversarial::importances(kElements))
			for (const T type : kTypes) {
				const auto bytes = encode(type, row.values, Search::kBest, importance.values.data());
				ASSERT_TRUE(scalesAreFinite(type, bytes.data(), kElements)) << typeName(type) << ", " << row.name << ", " << importance.name;
				for (const float v : decode(type, bytes, kElements)) ASSERT_LE(std::fabs(v), largest * 2 + 0x1p-14f) << typeName(type) << ", " << row.name << ", " << importance.name;
			}
	}
}

TEST(BestSearch, RefusesScalesThatDoNotFitAHalf) {
	for (const auto& row : adversarial::overflowingRows(kElements))
		for (const T type : kTypes)
			if (type != T::MXFP4) {
				EXPECT_FALSE(scalesAreFinite(type, encode(type, row.values, Search::kBest).data(), kElements)) << typeName(type) << ", " << row.name;
			}
}
