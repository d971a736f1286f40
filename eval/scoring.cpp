#include "eval/scoring.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vkq {

Result<double> logSumExp(std::span<const float> logits) {
	const float largest = *std::max_element(logits.begin(), logits.end());
	double sum = 0;
	for (const float logit : logits) sum += std::exp(logit - largest);
	const double result = double(largest) + std::log(sum);
	if (!std::isfinite(result)) return fail(ErrorCode::kInvalidData, "the model's logits are not finite", "the file is damaged, or was quantized from a damaged one: vkquant --verify and vkeval tensors show where");
	return result;
}

Result<double> logSumExp(const ScoredPosition& position) {
	auto total = logSumExp(position.logits);
	if (!total) {
		Error error = std::move(total).error();
		error.message = fmt::format("{} after token {} of chunk {}", error.message, position.position + 1, position.chunk + 1);
		return error;
	}
	return total;
}

SessionOptions scoringOptions(SessionOptions options, uint32_t context) {
	options.context = context;
	options.batch = std::min(options.batch, context);
	options.logit_rows = options.batch;
	return options;
}

Result<void> scoreChunk(Session& session, const TextChunks& chunks, uint32_t chunk, const ScoreVisitor& visit) {
	VKQ_CHECK(session.rewind(0));
	const auto tokens = chunks.chunk(chunk);
	// The last token predicts what is not in the chunk.
	const auto fed = tokens.first(tokens.size() - 1);
	Result<void> outcome;
	const auto each = [&](size_t position, std::span<const float> logits) {
		outcome = visit({chunk, uint32_t(position), tokens[position + 1], logits});
		return outcome.ok();
	};
	VKQ_CHECK(session.feedAll(fed, chunks.firstScored(), each));
	return outcome;
}

}  // namespace vkq
