// What quantization changed: a model's predictions against its original's, position by position, with the reference's definitions.
//
//   KLD      sum over tokens with log p_base > -16 of p_base * (log p_base - log p)
//   dp       p - p_base of the token that really comes
//   same top the most likely token is the same
#pragma once

#include "core/result.h"
#include "eval/base_logits.h"
#include "eval/perplexity.h"
#include "eval/scoring.h"
#include "eval/statistics.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkq {

struct Divergence {
	uint64_t positions = 0;
	MeanError perplexity, base_perplexity;      // value and standard error
	double correlation = 0;                     // of the two models' surprise, 0..1
	MeanError log_ratio;                        // ln(perplexity / base), covariance taken into account
	MeanError ratio, difference;
	MeanError kld;
	std::vector<float> klds;                    // sorted: for percentiles and plots
	MeanError delta_p, rms_delta_p;             // as shares (0.01 is one per cent)
	std::vector<float> delta_ps;                // sorted
	MeanError same_top;                         // share of positions
	double seconds = 0;

	double maxKld() const { return klds.empty() ? 0 : double(klds.back()); }
};


/// From a file of the reference's form: `chunks` must have been made from its tokens (chunksOf()).
Result<Divergence> measureDivergence(Session& session, const TextChunks& chunks, const BaseLogits& base, const EvalProgress& progress = {});

/// From the original itself, both models in memory: no file, and no rounding of the original's probabilities.
Result<Divergence> measureDivergence(Session& session, Session& original, const TextChunks& chunks, const EvalProgress& progress = {});

}  // namespace vkq
