// Eight groups at once give what each alone gives, bit for bit.
#include "quant/iq4.h"
#include "quant/lane_search.h"
#include "tests/quant/adversarial.h"

#include <gtest/gtest.h>

#include <bit>
#include <functional>

using namespace vkq;

namespace {

constexpr uint64_t kElements = 512;

/// Weights to search with: importances, and the magnitudes that Q2_K takes.
void forRowsAndWeights(const std::function<void(const float* x, const float* weights, const std::string& name)>& check) {
	for (const auto& row : adversarial::rows(kElements)) {
		for (const auto& importance : adversarial::importances(kElements)) check(row.values.data(), importance.values.data(), row.name + ", " + importance.name);
		std::vector<float> magnitudes = row.values;
		for (float& value : magnitudes) value = std::fabs(value);
		check(row.values.data(), magnitudes.data(), row.name + ", magnitudes");
	}
}

template <int kCount>
void compareSymmetric(int levels) {
	forRowsAndWeights([&](const float* x, const float* weights, const std::string& name) {
		for (uint64_t at = 0; at < kElements; at += kCount * kLanes)
			for (const float* w : {weights, static_cast<const float*>(nullptr)}) {
				uint8_t codes[kCount * kLanes], expected[kCount];
				float scales[kLanes];
				searchSymmetricLanes<kCount>(levels, x + at, w ? w + at : nullptr, codes, scales);
				for (int lane = 0; lane < kLanes; ++lane) {
					const uint64_t first = at + uint64_t(lane) * kCount;
					const float scale = searchSymmetric(kCount, levels, x + first, w ? w + first : nullptr, expected);
					ASSERT_EQ(std::bit_cast<uint32_t>(scales[lane]), std::bit_cast<uint32_t>(scale)) << name;
					for (int i = 0; i < kCount; ++i) ASSERT_EQ(codes[lane * kCount + i], expected[i]) << name;
				}
			}
	});
}

template <int kCount>
void compareAffine(int largest, AffineSweep sweep, AffineError error) {
	forRowsAndWeights([&](const float* x, const float* weights, const std::string& name) {
		for (uint64_t at = 0; at < kElements; at += kCount * kLanes) {
			uint8_t codes[kCount * kLanes], expected[kCount];
			float scales[kLanes], offsets[kLanes], offset;
			searchAffineLanes<kCount>(largest, x + at, weights + at, sweep, error, codes, scales, offsets);
			for (int lane = 0; lane < kLanes; ++lane) {
				const uint64_t first = at + uint64_t(lane) * kCount;
				const float scale = searchAffine(kCount, largest, x + first, weights + first, sweep, error, expected, &offset);
				ASSERT_EQ(std::bit_cast<uint32_t>(scales[lane]), std::bit_cast<uint32_t>(scale)) << name;
				ASSERT_EQ(std::bit_cast<uint32_t>(offsets[lane]), std::bit_cast<uint32_t>(offset)) << name;
				for (int i = 0; i < kCount; ++i) ASSERT_EQ(codes[lane * kCount + i], expected[i]) << name;
			}
		}
	});
}

}  // namespace

TEST(LaneSearch, FindsTheScalesOfCurvedValuesThatOneGroupFinds) {
	forRowsAndWeights([&](const float* x, const float* weights, const std::string& name) {
		for (uint64_t at = 0; at < kElements; at += 32 * kLanes)
			for (const float* w : {weights, static_cast<const float*>(nullptr)}) {
				float scales[kLanes];
				searchIq4ScaleLanes(x + at, w ? w + at : nullptr, scales);
				for (int lane = 0; lane < kLanes; ++lane) {
					const uint64_t first = at + uint64_t(lane) * 32;
					const float scale = searchIq4Scale(x + first, w ? w + first : nullptr);
					ASSERT_EQ(std::bit_cast<uint32_t>(scales[lane]), std::bit_cast<uint32_t>(scale)) << name;
				}
			}
	});
}

TEST(LaneSearch, FindsTheScalesThatOneGroupFinds) {
	compareSymmetric<16>(32);
	compareSymmetric<16>(4);
	compareSymmetric<32>(8);
	compareSymmetric<32>(16);
}

TEST(LaneSearch, FindsTheScalesAndOffsetsThatOneGroupFinds) {
	compareAffine<32>(15, {-1.0f, 0.1f, 20}, AffineError::kSquared);
	compareAffine<32>(31, {-0.5f, 0.1f, 15}, AffineError::kSquared);
	compareAffine<32>(31, kImportanceSweep, AffineError::kSquared);
	compareAffine<16>(3, {-0.5f, 0.1f, 15}, AffineError::kAbsolute);
	compareAffine<16>(3, kImportanceSweep, AffineError::kSquared);
}
