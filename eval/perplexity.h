// Perplexity: how surprised a model is by a text, exp of the mean negative log-probability of the tokens that really come.
#pragma once

#include "core/result.h"
#include "eval/scoring.h"
#include "eval/statistics.h"

#include <functional>
#include <vector>

namespace vkq {

struct Perplexity {
	double value = 0;
	double error = 0;            // standard error: value * that of the mean
	uint64_t positions = 0;      // scored
	std::vector<double> running; // after each chunk
	double seconds = 0;
	uint64_t tokens = 0;         // fed
};

/// Told after each chunk; false stops with kInterrupted.
using EvalProgress = std::function<bool(uint32_t chunks_done, uint32_t chunks, double running)>;

/// `also`, if given, sees every position too (to write a base file, say).
Result<Perplexity> measurePerplexity(Session& session, const TextChunks& chunks, const EvalProgress& progress = {}, const ScoreVisitor& also = {});

}  // namespace vkq
