#include "quant/best_k_symmetric.h"

#include "core/half.h"
#include "quant/block_codec.h"
#include "quant/best_lanes.h"

#include <cfloat>
#include <cmath>

namespace vkq {

template <int kLevels, int kScaleLevels>
VKQ_SIMD_CLONES void searchBestKSymmetric(const float* x_in, const float* weights, BestKSymmetricBlock& out) {
	constexpr int kGroup = 16, kParts = 2;
	const Floats zero = {}, one = zero + 1.0f;
	Floats x[32], w[32];
	for (int i = 0; i < 32; ++i)
		for (int lane = 0; lane < kLanes; ++lane) {
			x[i][lane] = x_in[32 * lane + i];
			w[i][lane] = weights ? weights[32 * lane + i] : 1.0f;
		}

	Floats scale[kParts];
	for (int p = 0; p < kParts; ++p) {
		const Floats* const xs = x + p * kGroup;
		const Floats* const ws = w + p * kGroup;
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
			// The extreme becomes -levels + 1.4, + 1.3, ... - 0.1, or levels - 0.1, - 0.2, ... - 1.6.
			const float away = 1.4f - 0.1f * float(step / 2);
			const float target = step & 1 ? float(kLevels) - 1.5f + away : away - float(kLevels);
			const Floats inverse = again ? one / scale[p] : target / extreme;
			Floats cross[4] = {}, square[4] = {};
			for (int i = 0; i < kGroup; ++i) {
				VKQ_ROUND(level, xs[i] * inverse, -kLevels, kLevels - 1);
				const Floats weighted = ws[i] * level;
				cross[i & 3] += weighted * xs[i];
				square[i & 3] += weighted * level;
			}
			const Floats sum_xl = (cross[0] + cross[1]) + (cross[2] + cross[3]);
			const Floats sum_ll = (square[0] + square[1]) + (square[2] + square[3]);
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
	float least = 0;
	int chosen = 0;
	for (int round = 0; round <= kBestKSymmetricFactors; ++round) {
		const bool last = round == kBestKSymmetricFactors;
		const uint16_t d_bits = floatToHalf(extreme / -float(kScaleLevels) * (0.9f + 0.02f * float(last ? chosen : round)));
		const float d = halfToFloat(d_bits);
		const float inverse_d = d != 0 ? 1.0f / d : 0.0f;
		Floats error = zero;
		for (int p = 0; p < kParts; ++p) {
			const Floats* const xs = x + p * kGroup;
			const Floats* const ws = w + p * kGroup;
			VKQ_ROUND(scale_code, scale[p] * inverse_d, -kScaleLevels, kScaleLevels - 1);
			Floats group_error = zero, best_scale = zero;
			for (int ds = -1; ds <= 1; ++ds) {
				Floats s = scale_code + float(ds);
				s = s < float(-kScaleLevels) ? zero - float(kScaleLevels) : s;
				s = s > float(kScaleLevels - 1) ? zero + float(kScaleLevels - 1) : s;
				const Floats stored = d * s;
				const Floats inverse = stored != zero ? one / stored : zero;
				Floats errors[4] = {};
				for (int i = 0; i < kGroup; ++i) {
					VKQ_ROUND(level, xs[i] * inverse, -kLevels, kLevels - 1);
					const Floats difference = stored * level - xs[i];
					errors[i & 3] += ws[i] * (difference * difference);
				}
				const Floats total = (errors[0] + errors[1]) + (errors[2] + errors[3]);
				const Ints better = ds == -1 ? Ints{} - 1 : total < group_error;
				group_error = better ? total : group_error;
				best_scale = better ? s : best_scale;
			}
			error += group_error;
			if (!last) continue;
			const Floats stored = d * best_scale;
			const Floats inverse = stored != zero ? one / stored : zero;
			for (int lane = 0; lane < kLanes; ++lane) out.scales[kParts * lane + p] = int8_t(best_scale[lane]);
			for (int i = 0; i < kGroup; ++i) {
				VKQ_ROUND(level, xs[i] * inverse, -kLevels, kLevels - 1);
				for (int lane = 0; lane < kLanes; ++lane) out.codes[32 * lane + p * kGroup + i] = uint8_t(level[lane] + float(kLevels));
			}
		}
		if (last) {
			out.d = d_bits;
			break;
		}
		const float total = ((error[0] + error[1]) + (error[2] + error[3])) + ((error[4] + error[5]) + (error[6] + error[7]));
		if (round == 0 || total < least) {
			least = total;
			chosen = round;
		}
	}
}

template void searchBestKSymmetric<4, 32>(const float*, const float*, BestKSymmetricBlock&);
template void searchBestKSymmetric<32, 128>(const float*, const float*, BestKSymmetricBlock&);

}  // namespace vkq
