#include "quant/best_k_affine.h"

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/best_lanes.h"

#include <cfloat>
#include <cmath>

namespace vkq {

template <int kGroup, int kLargestCode, int kLargestScale>
VKQ_SIMD_CLONES void searchBestKAffine(const float* x_in, const float* weights, BestKAffineBlock& out) {
	constexpr int kParts = 32 / kGroup;   // groups a lane
	const Floats zero = {}, one = zero + 1.0f;
	Floats x[32], w[32];
	for (int i = 0; i < 32; ++i)
		for (int lane = 0; lane < kLanes; ++lane) {
			x[i][lane] = x_in[32 * lane + i];
			w[i][lane] = weights ? weights[32 * lane + i] : 1.0f;
		}

	// Each group alone.
	Floats scale[kParts], low[kParts], mean_code[kParts];
	for (int p = 0; p < kParts; ++p) {
		const Floats* const xs = x + p * kGroup;
		const Floats* const ws = w + p * kGroup;
		Floats lowest = xs[0], highest = xs[0], sums_w[4] = {}, sums_x[4] = {};
		for (int i = 0; i < kGroup; ++i) {
			lowest = xs[i] < lowest ? xs[i] : lowest;
			highest = xs[i] > highest ? xs[i] : highest;
			sums_w[i & 3] += ws[i];
			sums_x[i & 3] += ws[i] * xs[i];
		}
		const Floats sum_w = (sums_w[0] + sums_w[1]) + (sums_w[2] + sums_w[3]);
		const Floats sum_x = (sums_x[0] + sums_x[1]) + (sums_x[2] + sums_x[3]);
		lowest = lowest > zero ? zero : lowest;
		const Ints flat = highest <= lowest;
		const Floats range = flat ? one : highest - lowest;
		scale[p] = range / float(kLargestCode);
		low[p] = lowest;
		mean_code[p] = zero;
		Floats best = zero - FLT_MAX;
		for (int step = 0; step < kBestKAffineStarts + 1; ++step) {
			const bool again = step == kBestKAffineStarts;   // rounds the best fit so far
			const Floats inverse = again ? one / scale[p] : (float(kLargestCode - 1) + 0.1f * float(step)) / range;
			const Floats from = again ? low[p] : lowest;
			Floats sums_l[4] = {}, sums_ll[4] = {}, sums_xl[4] = {};
			for (int i = 0; i < kGroup; ++i) {
				VKQ_ROUND(code, (xs[i] - from) * inverse, 0, kLargestCode);
				const Floats weighted = ws[i] * code;
				sums_l[i & 3] += weighted;
				sums_ll[i & 3] += weighted * code;
				sums_xl[i & 3] += weighted * xs[i];
			}
			const Floats sum_l = (sums_l[0] + sums_l[1]) + (sums_l[2] + sums_l[3]);
			const Floats sum_ll = (sums_ll[0] + sums_ll[1]) + (sums_ll[2] + sums_ll[3]);
			const Floats sum_xl = (sums_xl[0] + sums_xl[1]) + (sums_xl[2] + sums_xl[3]);
			const Floats determinant = sum_w * sum_ll - sum_l * sum_l;
			Floats new_low = (sum_ll * sum_x - sum_l * sum_xl) / determinant;
			const Ints from_zero = new_low > zero;
			const Floats new_scale = (from_zero ? sum_xl : sum_w * sum_xl - sum_x * sum_l) / (from_zero ? sum_ll : determinant);
			new_low = from_zero ? zero : new_low;
			// How much less the error is than with all codes zero.
			const Floats gain = new_scale * sum_xl + new_low * sum_x;
			const Ints better = (determinant > zero) & (new_scale > zero) & (gain > best);
			best = better ? gain : best;
			scale[p] = better ? new_scale : scale[p];
			low[p] = better ? new_low : low[p];
			mean_code[p] = better ? sum_l / sum_w : mean_code[p];
		}
		scale[p] = flat ? zero : scale[p];
		low[p] = flat ? lowest : low[p];
	}

	// The super-block as it is stored.
	float most_scale = 0, most_offset = 0;
	for (int p = 0; p < kParts; ++p)
		for (int lane = 0; lane < kLanes; ++lane) {
			most_scale = scale[p][lane] > most_scale ? scale[p][lane] : most_scale;
			most_offset = -low[p][lane] > most_offset ? -low[p][lane] : most_offset;
		}
	float least = 0;
	int chosen = 0;
	for (int round = 0; round <= kBestKAffineFactors * kBestKAffineFactors; ++round) {
		const bool last = round == kBestKAffineFactors * kBestKAffineFactors;   // the chosen one once more, and kept
		const int pair = last ? chosen : round;
		const uint16_t d_bits = floatToHalf(most_scale / float(kLargestScale) * kBestKAffineFactor[pair / kBestKAffineFactors]);
		const uint16_t dmin_bits = floatToHalf(most_offset / float(kLargestScale) * kBestKAffineFactor[pair % kBestKAffineFactors]);
		const float d = halfToFloat(d_bits), dmin = halfToFloat(dmin_bits);
		const float inverse_d = d > 0 ? 1.0f / d : 0.0f, inverse_dmin = dmin > 0 ? 1.0f / dmin : 0.0f;
		Floats error = zero;
		for (int p = 0; p < kParts; ++p) {
			const Floats* const xs = x + p * kGroup;
			const Floats* const ws = w + p * kGroup;
			VKQ_ROUND(scale_code, scale[p] * inverse_d, 0, kLargestScale);
			Floats group_error = zero, best_scale = zero, best_minimum = zero;
			for (int ds = -1; ds <= 1; ++ds) {
				Floats s = scale_code + float(ds);
				s = s < zero ? zero : s;
				s = s > float(kLargestScale) ? zero + float(kLargestScale) : s;
				const Floats stored_scale = d * s;
				const Floats inverse = stored_scale > zero ? one / stored_scale : zero;
				// With another scale the best offset is another.
				const Floats offset = (stored_scale - scale[p]) * mean_code[p] - low[p];
				VKQ_ROUND(minimum_code, offset * inverse_dmin, 0, kLargestScale);
				for (int dm = -1; dm <= 1; ++dm) {
					Floats m = minimum_code + float(dm);
					m = m < zero ? zero : m;
					m = m > float(kLargestScale) ? zero + float(kLargestScale) : m;
					const Floats stored_minimum = dmin * m;
					Floats errors[4] = {};
					for (int i = 0; i < kGroup; ++i) {
						VKQ_ROUND(code, (xs[i] + stored_minimum) * inverse, 0, kLargestCode);
						const Floats difference = stored_scale * code - stored_minimum - xs[i];
						errors[i & 3] += ws[i] * (difference * difference);
					}
					const Floats total = (errors[0] + errors[1]) + (errors[2] + errors[3]);
					const bool first = ds == -1 && dm == -1;
					const Ints better = first ? Ints{} - 1 : total < group_error;
					group_error = better ? total : group_error;
					best_scale = better ? s : best_scale;
					best_minimum = better ? m : best_minimum;
				}
			}
			error += group_error;
			if (!last) continue;
			const Floats stored_scale = d * best_scale, stored_minimum = dmin * best_minimum;
			const Floats inverse = stored_scale > zero ? one / stored_scale : zero;
			for (int lane = 0; lane < kLanes; ++lane) {
				out.scales[kParts * lane + p] = uint8_t(best_scale[lane]);
				out.minima[kParts * lane + p] = uint8_t(best_minimum[lane]);
			}
			for (int i = 0; i < kGroup; ++i) {
				VKQ_ROUND(code, (xs[i] + stored_minimum) * inverse, 0, kLargestCode);
				for (int lane = 0; lane < kLanes; ++lane) out.codes[32 * lane + p * kGroup + i] = uint8_t(code[lane]);
			}
		}
		if (last) {
			out.d = d_bits;
			out.dmin = dmin_bits;
			break;
		}
		const float total = ((error[0] + error[1]) + (error[2] + error[3])) + ((error[4] + error[5]) + (error[6] + error[7]));
		if (round == 0 || total < least) {
			least = total;
			chosen = round;
		}
	}
}

void bestKWeights(const float* importance, float* weights) {
	for (int first = 0; first < 256; first += 32) {
		float largest = 0;
		for (int i = first; i < first + 32; ++i) largest = importance[i] > largest ? importance[i] : largest;
		for (int i = first; i < first + 32; ++i) weights[i] = largest == 0 ? 1.0f : std::sqrt(importance[i]);
	}
}

template void searchBestKAffine<32, 15, 63>(const float*, const float*, BestKAffineBlock&);
template void searchBestKAffine<32, 31, 63>(const float*, const float*, BestKAffineBlock&);
template void searchBestKAffine<16, 3, 15>(const float*, const float*, BestKAffineBlock&);

}  // namespace vkq
