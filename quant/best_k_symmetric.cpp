#include "quant/best_k_symmetric.h"

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/best_lanes.h"
#include "quant/best_search.h"

#include <cfloat>
#include <cmath>

namespace vkq {

template <int kLevels, int kScaleLevels>
VKQ_SIMD_CLONES void searchBestKSymmetric(const float* x_in, const float* importance, BestKSymmetricBlock& out) {
	constexpr int kGroup = 16, kParts = 2;
	const Floats zero = {}, one = zero + 1.0f;
	float weights[256];
	const bool known = bestWeights<256>(importance, x_in, weights);
	Floats x[32], w[32];
	for (int i = 0; i < 32; ++i)
		for (int lane = 0; lane < kLanes; ++lane) {
			x[i][lane] = x_in[32 * lane + i];
			w[i][lane] = known ? weights[32 * lane + i] : 1.0f;
		}

	// Weighted sums over group p: of its weights times their levels, and of the levels' squares. Least squares needs no more.
	const auto sumLevels = [&](int p, const Floats& inverse, Floats& sum_xl, Floats& sum_ll) __attribute__((always_inline)) {
		Floats cross[4] = {}, square[4] = {};
		for (int i = 0; i < kGroup; ++i) {
			const Floats& value = x[p * kGroup + i];
			VKQ_ROUND(level, value * inverse, -kLevels, kLevels - 1);
			const Floats weighted = w[p * kGroup + i] * level;
			cross[i & 3] += weighted * value;
			square[i & 3] += weighted * level;
		}
		sum_xl = VKQ_SUM4(cross);
		sum_ll = VKQ_SUM4(square);
	};

	Floats scale[kParts];
	for (int p = 0; p < kParts; ++p) {
		const Floats* const xs = x + p * kGroup;
		Floats extreme = zero, magnitude = zero;
		for (int i = 0; i < kGroup; ++i) {
			const Floats size = (Floats)((Ints)xs[i] & 0x7fffffff);
			extreme = size > magnitude ? xs[i] : extreme;
			magnitude = size > magnitude ? size : magnitude;
		}
		const Ints empty = magnitude == zero;
		extreme = empty ? one : extreme;
		scale[p] = extreme / -float(kLevels);
		Floats best = zero - FLT_MAX;
		for (int step = 0; step < kBestKSymmetricStarts + 1; ++step) {
			const bool again = step == kBestKSymmetricStarts;   // rounds the best fit so far
			// The extreme becomes the lowest or the highest level, or 1.4 less ... 0.9 more than it.
			const float away = 1.4f - 0.1f * float(step / 2);
			const float target = step & 1 ? float(kLevels - 1) - away : away - float(kLevels);
			const Floats inverse = again ? one / scale[p] : target / extreme;
			Floats sum_xl, sum_ll;
			sumLevels(p, inverse, sum_xl, sum_ll);
			const Floats fitted = sum_xl / sum_ll;
			const Floats gain = fitted * sum_xl;
			const Ints better = (sum_ll > zero) & (fitted != zero) & (gain > best);
			best = better ? gain : best;
			scale[p] = better ? fitted : scale[p];
		}
		scale[p] = empty ? zero : scale[p];
	}

	float extreme = 0, most = 0;
	for (int lane = 0; lane < kLanes; ++lane)
		for (int p = 0; p < kParts; ++p) {
			const float size = std::fabs(scale[p][lane]);
			extreme = size > most ? scale[p][lane] : extreme;
			most = size > most ? size : most;
		}
	float least = 0, d = 0;   // of the best so far
	Floats kept_scale[kParts] = {};
	// Sums of group p for the codes that the best d so far leads to.
	const auto sumKept = [&](int p, Floats& sum_xl, Floats& sum_ll) __attribute__((always_inline)) {
		const Floats stored = d * kept_scale[p];
		sumLevels(p, stored != zero ? one / stored : zero, sum_xl, sum_ll);
	};
	for (int round = 0; round <= kBestKSymmetricFactors + kBestKRefits; ++round) {
		float new_d = d;   // the first round after the factors looks closer at the best of them
		if (round < kBestKSymmetricFactors) {
			new_d = asHalf(extreme / -float(kScaleLevels) * (0.9f + 0.02f * float(round)));
		} else if (round > kBestKSymmetricFactors) {
			// Least squares for d with the codes that it has led to.
			Floats lanes_ss = zero, lanes_xs = zero;
			for (int p = 0; p < kParts; ++p) {
				Floats sum_xl, sum_ll;
				sumKept(p, sum_xl, sum_ll);
				lanes_ss += sum_ll * kept_scale[p] * kept_scale[p];
				lanes_xs += sum_xl * kept_scale[p];
			}
			const float ss = VKQ_SUM_LANES(lanes_ss), sum_xs = VKQ_SUM_LANES(lanes_xs);
			const float fitted = asHalf(sum_xs / ss);
			new_d = ss > 0 && fitted != 0 ? fitted : d;
		}
		const float inverse_d = new_d != 0 ? 1.0f / new_d : 0.0f;
		// Factors are compared by the nearest whole numbers alone. The last round looks furthest.
		const int reach = round < kBestKSymmetricFactors ? 0 : round < kBestKSymmetricFactors + kBestKRefits ? 1 : 2;
		Floats error = zero, best_scale[kParts];
		for (int p = 0; p < kParts; ++p) {
			const Floats* const xs = x + p * kGroup;
			const Floats* const ws = w + p * kGroup;
			VKQ_ROUND(scale_code, scale[p] * inverse_d, -kScaleLevels, kScaleLevels - 1);
			Floats group_error = zero;
			for (int ds = -reach; ds <= reach; ++ds) {
				Floats s = scale_code + float(ds);
				s = s < float(-kScaleLevels) ? zero - float(kScaleLevels) : s;
				s = s > float(kScaleLevels - 1) ? zero + float(kScaleLevels - 1) : s;
				const Floats stored = new_d * s;
				const Floats inverse = stored != zero ? one / stored : zero;
				Floats errors[4] = {};
				for (int i = 0; i < kGroup; ++i) {
					VKQ_ROUND(level, xs[i] * inverse, -kLevels, kLevels - 1);
					const Floats difference = stored * level - xs[i];
					errors[i & 3] += ws[i] * (difference * difference);
				}
				const Floats total = VKQ_SUM4(errors);
				const bool first = ds == -reach;
				const Ints better = first ? Ints{} - 1 : total < group_error;
				group_error = better ? total : group_error;
				best_scale[p] = first ? s : better ? s : best_scale[p];
			}
			error += group_error;
		}
		const float total = VKQ_SUM_LANES(error);
		if (round == 0 || total < least) {
			least = total;
			d = new_d;
			for (int p = 0; p < kParts; ++p) kept_scale[p] = best_scale[p];
		}
	}

	Floats lanes_xx = zero, lanes_xy = zero;   // y: as decoded
	for (int p = 0; p < kParts; ++p) {
		const Floats stored = d * kept_scale[p];
		const Floats inverse = stored != zero ? one / stored : zero;
		Floats squares[4] = {};
		for (int lane = 0; lane < kLanes; ++lane) out.scales[kParts * lane + p] = int8_t(kept_scale[p][lane]);
		for (int i = 0; i < kGroup; ++i) {
			const Floats& value = x[p * kGroup + i];
			VKQ_ROUND(level, value * inverse, -kLevels, kLevels - 1);
			for (int lane = 0; lane < kLanes; ++lane) out.codes[32 * lane + p * kGroup + i] = uint8_t(level[lane] + float(kLevels));
			squares[i & 3] += w[p * kGroup + i] * value * value;
		}
		Floats sum_xl, sum_ll;
		sumKept(p, sum_xl, sum_ll);
		lanes_xx += VKQ_SUM4(squares);
		lanes_xy += stored * sum_xl;
	}
	out.d = floatToHalf(stretched(d, stretchOf(VKQ_SUM_LANES(lanes_xx), VKQ_SUM_LANES(lanes_xy))));
}

template void searchBestKSymmetric<4, 32>(const float*, const float*, BestKSymmetricBlock&);
template void searchBestKSymmetric<32, 128>(const float*, const float*, BestKSymmetricBlock&);

}  // namespace vkq
