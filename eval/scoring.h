// Running a model over chunks of text, one scored position after the other: what perplexity, divergence and base files are made from.
#pragma once

#include "core/result.h"
#include "eval/text_chunks.h"
#include "infer/session.h"

#include <cstdint>
#include <functional>
#include <span>

namespace vkq {

/// One prediction: the logits [n_vocab] after `position` tokens of chunk `chunk`, and the token that really comes next.
struct ScoredPosition {
	uint32_t chunk = 0, position = 0;
	Token next = 0;
	std::span<const float> logits;
};

/// Called for each scored position in order; an Error ends the run.
using ScoreVisitor = std::function<Result<void>(const ScoredPosition&)>;

/// Feeds chunk `chunk` to an emptied session and visits its scored positions.
Result<void> scoreChunk(Session& session, const TextChunks& chunks, uint32_t chunk, const ScoreVisitor& visit);

/// What scoreChunk() needs of a session: a context of one chunk, logits of all of a step's positions.
SessionOptions scoringOptions(SessionOptions options, uint32_t context);

/// log(sum(exp(logits))) with the largest logit taken out, summed in double: log p(i) = logits[i] - result.
/// kInvalidData if a logit is not a number.
Result<double> logSumExp(std::span<const float> logits);
/// The same; the error says where.
Result<double> logSumExp(const ScoredPosition& position);

}  // namespace vkq
