#include "quant/best_k_affine.h"

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/best_lanes.h"
#include "quant/best_search.h"

#include <cfloat>

namespace vkq {

template <int kGroup, int kLargestCode, int kLargestScale>
VKQ_SIMD_CLONES void searchBestKAffine(const float* x_in, const float* importance, BestKAffineBlock& out) {
	constexpr int kParts = 32 / kGroup;   // groups a lane
	const Floats zero = {}, one = zero + 1.0f;
	float weights[256];
	const bool known = bestWeights<256>(importance, x_in, weights);
	Floats x[32], w[32];
	for (int i = 0; i < 32; ++i)
		for (int lane = 0; lane < kLanes; ++lane) {
			x[i][lane] = x_in[32 * lane + i];
			w[i][lane] = known ? weights[32 * lane + i] : 1.0f;
		}

	// Weighted sums over group p: of the codes of its weights, their squares, and the codes times the weights. Least squares needs no more.
	const auto sumCodes = [&](int p, const Floats& from, const Floats& inverse, Floats& sum_l, Floats& sum_ll, Floats& sum_xl) __attribute__((always_inline)) {
		const Floats* const xs = x + p * kGroup;
		const Floats* const ws = w + p * kGroup;
		Floats sums_l[4] = {}, sums_ll[4] = {}, sums_xl[4] = {};
		for (int i = 0; i < kGroup; ++i) {
			VKQ_ROUND(code, (xs[i] - from) * inverse, 0, kLargestCode);
			const Floats weighted = ws[i] * code;
			sums_l[i & 3] += weighted;
			sums_ll[i & 3] += weighted * code;
			sums_xl[i & 3] += weighted * xs[i];
		}
		sum_l = VKQ_SUM4(sums_l);
		sum_ll = VKQ_SUM4(sums_ll);
		sum_xl = VKQ_SUM4(sums_xl);
	};

	// Each group alone.
	Floats scale[kParts], low[kParts], mean_code[kParts], sum_w[kParts], sum_x[kParts], sum_xx[kParts];
	for (int p = 0; p < kParts; ++p) {
		const Floats* const xs = x + p * kGroup;
		const Floats* const ws = w + p * kGroup;
		Floats lowest = xs[0], highest = xs[0], sums_w[4] = {}, sums_x[4] = {}, sums_xx[4] = {};
		for (int i = 0; i < kGroup; ++i) {
			lowest = xs[i] < lowest ? xs[i] : lowest;
			highest = xs[i] > highest ? xs[i] : highest;
			const Floats weighted = ws[i] * xs[i];
			sums_w[i & 3] += ws[i];
			sums_x[i & 3] += weighted;
			sums_xx[i & 3] += weighted * xs[i];
		}
		sum_w[p] = VKQ_SUM4(sums_w);
		sum_x[p] = VKQ_SUM4(sums_x);
		sum_xx[p] = VKQ_SUM4(sums_xx);
		lowest = lowest > zero ? zero : lowest;
		const Ints flat = highest <= lowest;
		const Floats range = flat ? one : highest - lowest;
		scale[p] = range / float(kLargestCode);
		low[p] = lowest;
		mean_code[p] = zero;
		Floats best = zero - FLT_MAX;
		for (int step = 0; step < kBestKAffineStarts + 1; ++step) {
			const bool again = step == kBestKAffineStarts;   // rounds the best fit so far
			const float steps = (float(kLargestCode) + 0.75f) - 0.5f * float(step / kBestKAffineShifts);
			const float shift = 0.5f * (steps - float(kLargestCode)) + (0.2f * float(step % kBestKAffineShifts) - 0.4f);
			const Floats inverse = again ? one / scale[p] : steps / range;
			const Floats from = again ? low[p] : lowest + shift * (range / steps);
			Floats sum_l, sum_ll, sum_xl;
			sumCodes(p, from, inverse, sum_l, sum_ll, sum_xl);
			const Floats determinant = sum_w[p] * sum_ll - sum_l * sum_l;
			Floats new_low = (sum_ll * sum_x[p] - sum_l * sum_xl) / determinant;
			const Ints from_zero = new_low > zero;
			const Floats new_scale = (from_zero ? sum_xl : sum_w[p] * sum_xl - sum_x[p] * sum_l) / (from_zero ? sum_ll : determinant);
			new_low = from_zero ? zero : new_low;
			// How much less the error is than with all codes zero.
			const Floats gain = new_scale * sum_xl + new_low * sum_x[p];
			const Ints better = (determinant > zero) & (new_scale > zero) & (gain > best);
			best = better ? gain : best;
			scale[p] = better ? new_scale : scale[p];
			low[p] = better ? new_low : low[p];
			mean_code[p] = better ? sum_l / sum_w[p] : mean_code[p];
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
	float least = 0, d = 0, dmin = 0;   // of the best so far
	Floats kept_scale[kParts] = {}, kept_minimum[kParts] = {};
	// Sums of group p for the codes that the best pair so far leads to.
	const auto sumKept = [&](int p, Floats& sum_l, Floats& sum_ll, Floats& sum_xl) __attribute__((always_inline)) {
		const Floats stored_scale = d * kept_scale[p], stored_minimum = dmin * kept_minimum[p];
		sumCodes(p, -stored_minimum, stored_scale > zero ? one / stored_scale : zero, sum_l, sum_ll, sum_xl);
	};
	constexpr int kPairs = kBestKAffineFactors * kBestKAffineFactors;
	for (int round = 0; round <= kPairs + kBestKRefits; ++round) {
		float new_d = d, new_dmin = dmin;   // the first round after the pairs looks closer at the best of them
		if (round < kPairs) {
			new_d = asHalf(most_scale / float(kLargestScale) * kBestKAffineFactor[round / kBestKAffineFactors]);
			new_dmin = asHalf(most_offset / float(kLargestScale) * kBestKAffineFactor[round % kBestKAffineFactors]);
		} else if (round > kPairs) {
			// Least squares for d and dmin together, with the codes that they have led to.
			Floats lanes_ss = zero, lanes_sm = zero, lanes_mm = zero, lanes_xs = zero, lanes_xm = zero;
			for (int p = 0; p < kParts; ++p) {
				Floats sum_l, sum_ll, sum_xl;
				sumKept(p, sum_l, sum_ll, sum_xl);
				lanes_ss += sum_ll * kept_scale[p] * kept_scale[p];
				lanes_sm += sum_l * kept_scale[p] * kept_minimum[p];
				lanes_mm += sum_w[p] * kept_minimum[p] * kept_minimum[p];
				lanes_xs += sum_xl * kept_scale[p];
				lanes_xm += sum_x[p] * kept_minimum[p];
			}
			const float ss = VKQ_SUM_LANES(lanes_ss), sm = VKQ_SUM_LANES(lanes_sm), mm = VKQ_SUM_LANES(lanes_mm);
			const float sum_xs = VKQ_SUM_LANES(lanes_xs), sum_xm = VKQ_SUM_LANES(lanes_xm);
			const float determinant = ss * mm - sm * sm;
			const float fitted_d = asHalf((sum_xs * mm - sm * sum_xm) / determinant), fitted_dmin = asHalf((sm * sum_xs - ss * sum_xm) / determinant);
			const bool fits = determinant > 0 && fitted_d > 0 && fitted_dmin >= 0;
			new_d = fits ? fitted_d : d;
			new_dmin = fits ? fitted_dmin : dmin;
		}
		const float inverse_d = new_d > 0 ? 1.0f / new_d : 0.0f, inverse_dmin = new_dmin > 0 ? 1.0f / new_dmin : 0.0f;
		// Pairs are compared by the nearest whole numbers alone: that finds as good a pair, several times faster. The last round looks furthest.
		const int reach = round < kPairs ? 0 : round < kPairs + kBestKRefits ? 1 : 2;
		Floats error = zero, best_scale[kParts], best_minimum[kParts];
		for (int p = 0; p < kParts; ++p) {
			const Floats* const xs = x + p * kGroup;
			const Floats* const ws = w + p * kGroup;
			VKQ_ROUND(scale_code, scale[p] * inverse_d, 0, kLargestScale);
			Floats group_error = zero;
			for (int ds = -reach; ds <= reach; ++ds) {
				Floats s = scale_code + float(ds);
				s = s < zero ? zero : s;
				s = s > float(kLargestScale) ? zero + float(kLargestScale) : s;
				const Floats stored_scale = new_d * s;
				const Floats inverse = stored_scale > zero ? one / stored_scale : zero;
				// With another scale the best offset is another.
				const Floats offset = (stored_scale - scale[p]) * mean_code[p] - low[p];
				VKQ_ROUND(minimum_code, offset * inverse_dmin, 0, kLargestScale);
				for (int dm = -reach; dm <= reach; ++dm) {
					Floats m = minimum_code + float(dm);
					m = m < zero ? zero : m;
					m = m > float(kLargestScale) ? zero + float(kLargestScale) : m;
					const Floats stored_minimum = new_dmin * m;
					Floats errors[4] = {};
					for (int i = 0; i < kGroup; ++i) {
						VKQ_ROUND(code, (xs[i] + stored_minimum) * inverse, 0, kLargestCode);
						const Floats difference = stored_scale * code - stored_minimum - xs[i];
						errors[i & 3] += ws[i] * (difference * difference);
					}
					const Floats total = VKQ_SUM4(errors);
					const bool first = ds == -reach && dm == -reach;
					const Ints better = first ? Ints{} - 1 : total < group_error;
					group_error = better ? total : group_error;
					best_scale[p] = first ? s : better ? s : best_scale[p];
					best_minimum[p] = first ? m : better ? m : best_minimum[p];
				}
			}
			error += group_error;
		}
		const float total = VKQ_SUM_LANES(error);
		if (round == 0 || total < least) {
			least = total;
			d = new_d;
			dmin = new_dmin;
			for (int p = 0; p < kParts; ++p) kept_scale[p] = best_scale[p], kept_minimum[p] = best_minimum[p];
		}
	}

	Floats lanes_xx = zero, lanes_xy = zero;   // y: as decoded
	for (int p = 0; p < kParts; ++p) {
		const Floats stored_scale = d * kept_scale[p], stored_minimum = dmin * kept_minimum[p];
		const Floats inverse = stored_scale > zero ? one / stored_scale : zero;
		for (int lane = 0; lane < kLanes; ++lane) {
			out.scales[kParts * lane + p] = uint8_t(kept_scale[p][lane]);
			out.minima[kParts * lane + p] = uint8_t(kept_minimum[p][lane]);
		}
		for (int i = 0; i < kGroup; ++i) {
			VKQ_ROUND(code, (x[p * kGroup + i] + stored_minimum) * inverse, 0, kLargestCode);
			for (int lane = 0; lane < kLanes; ++lane) out.codes[32 * lane + p * kGroup + i] = uint8_t(code[lane]);
		}
		Floats sum_l, sum_ll, sum_xl;
		sumKept(p, sum_l, sum_ll, sum_xl);
		lanes_xx += sum_xx[p];
		lanes_xy += stored_scale * sum_xl - stored_minimum * sum_x[p];
	}
	const float stretch = stretchOf(VKQ_SUM_LANES(lanes_xx), VKQ_SUM_LANES(lanes_xy));
	out.d = floatToHalf(stretched(d, stretch));
	out.dmin = floatToHalf(stretched(dmin, stretch));
}

template void searchBestKAffine<32, 15, 63>(const float*, const float*, BestKAffineBlock&);
template void searchBestKAffine<32, 31, 63>(const float*, const float*, BestKAffineBlock&);
template void searchBestKAffine<16, 3, 15>(const float*, const float*, BestKAffineBlock&);

}  // namespace vkq
