#include "quant/affine_super_block.h"

#include "core/half.h"
#include "quant/best_k_affine.h"
#include "quant/lane_search.h"

#include <algorithm>
#include <cmath>

namespace vkq {

namespace {

constexpr int kGroups = 8, kGroup = 32, kElements = 256;

void packScales(const uint8_t* scale, const uint8_t* minimum, uint8_t* packed) {
	for (int j = 0; j < 4; ++j) {
		packed[j] = uint8_t(scale[j] | scale[j + 4] >> 4 << 6);
		packed[j + 4] = uint8_t(minimum[j] | minimum[j + 4] >> 4 << 6);
		packed[j + 8] = uint8_t((scale[j + 4] & 15) | (minimum[j + 4] & 15) << 4);
	}
}

void unpackScales(const uint8_t* packed, uint8_t* scale, uint8_t* minimum) {
	for (int j = 0; j < 4; ++j) {
		scale[j] = packed[j] & 63;
		minimum[j] = packed[j + 4] & 63;
		scale[j + 4] = uint8_t((packed[j + 8] & 15) | packed[j] >> 6 << 4);
		minimum[j + 4] = uint8_t(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
	}
}

/// The super-block's scale is the largest group scale over 63; the groups' are multiples of it.
uint16_t quantizeByMaximum(const float* values, uint8_t* codes) {
	float largest = 0;
	for (int j = 0; j < kGroups; ++j) largest = std::max(largest, values[j]);
	const float inverse = largest > 0 ? 63 / largest : 0.0f;
	for (int j = 0; j < kGroups; ++j) codes[j] = std::min<uint8_t>(63, uint8_t(nearestInt(inverse * values[j])));
	return floatToHalf(largest / 63);
}

}  // namespace

void encodeAffineSuperBlock(const AffineFormat& format, const float* x, const float* importance, AffineSuperBlock& out) {
	static_assert(kGroups == kLanes);
	float scales[kGroups], minima[kGroups], group_weight[kGroups], weights[kElements];
	const float sigma2 = importance ? 2 * sumOfSquares(x, kElements) / kElements : 0.0f;
	for (int j = 0; j < kGroups; ++j) {
		const int first = kGroup * j;
		if (importance) {
			group_weight[j] = importanceWeights(kGroup, x + first, importance + first, sigma2, weights + first);
		} else {
			const float average = std::sqrt(sumOfSquares(x + first, kGroup) / kGroup);
			for (int i = first; i < first + kGroup; ++i) weights[i] = average + std::fabs(x[i]);
		}
	}
	searchAffineLanes<kGroup>(format.largest_code, x, weights, importance ? kImportanceSweep : format.plain, AffineError::kSquared, out.codes, scales, minima);

	uint8_t scale_codes[kGroups], minimum_codes[kGroups];
	if (importance) {
		out.d = floatToHalf(searchPositive(kGroups, 63, scales, group_weight, scale_codes));
		out.dmin = floatToHalf(searchPositive(kGroups, 63, minima, group_weight, minimum_codes));
	} else {
		out.d = quantizeByMaximum(scales, scale_codes);
		out.dmin = quantizeByMaximum(minima, minimum_codes);
	}
	if (format.clamps_scales)
		for (int j = 0; j < kGroups; ++j) {
			scale_codes[j] = std::min<uint8_t>(63, scale_codes[j]);
			minimum_codes[j] = std::min<uint8_t>(63, minimum_codes[j]);
		}
	packScales(scale_codes, minimum_codes, out.scales);
	unpackScales(out.scales, scale_codes, minimum_codes);

	// Codes anew for the scales as a decoder will see them; a group whose scale became zero keeps the search's.
	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(out.d) * scale_codes[j];
		if (scale == 0) continue;
		const float minimum = halfToFloat(out.dmin) * minimum_codes[j];
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i)
			out.codes[i] = uint8_t(clampInt(nearestInt((x[i] + minimum) / scale), 0, format.largest_code));
	}
}

void encodeBestAffineSuperBlock(const AffineFormat& format, const float* x, const float* importance, AffineSuperBlock& out) {
	BestKAffineBlock best;
	const auto search = format.largest_code == 15 ? searchBestKAffine<32, 15, 63> : searchBestKAffine<32, 31, 63>;
	search(x, importance, best);
	out.d = best.d;
	out.dmin = best.dmin;
	packScales(best.scales, best.minima, out.scales);
	std::copy_n(best.codes, kElements, out.codes);
}

void decodeAffineSuperBlock(const AffineSuperBlock& block, float* out) {
	uint8_t scale_codes[kGroups], minimum_codes[kGroups];
	unpackScales(block.scales, scale_codes, minimum_codes);
	for (int j = 0; j < kGroups; ++j) {
		const float scale = halfToFloat(block.d) * scale_codes[j];
		const float minimum = halfToFloat(block.dmin) * minimum_codes[j];
		for (int i = kGroup * j; i < kGroup * (j + 1); ++i) out[i] = scale * float(block.codes[i]) - minimum;
	}
}

}  // namespace vkq
