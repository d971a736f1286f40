#include "eval/perplexity.h"

#include <chrono>
#include <cmath>

namespace vkq {

Result<Perplexity> measurePerplexity(Session& session, const TextChunks& chunks, const EvalProgress& progress, const ScoreVisitor& also) {
	const auto start = std::chrono::steady_clock::now();
	Perplexity result;
	Sums surprise;
	for (uint32_t chunk = 0; chunk < chunks.count(); ++chunk) {
		VKQ_CHECK(scoreChunk(session, chunks, chunk, [&](const ScoredPosition& position) -> Result<void> {
			VKQ_TRY(const double total, logSumExp(position));
			surprise.add(total - double(position.logits[position.next]));
			if (also) return also(position);
			return {};
		}));
		result.running.push_back(std::exp(surprise.mean()));
		if (progress && !progress(chunk + 1, chunks.count(), result.running.back())) return fail(ErrorCode::kInterrupted, "interrupted");
	}
	result.value = std::exp(surprise.mean());
	result.error = result.value * surprise.standardError();
	result.positions = surprise.count();
	result.tokens = uint64_t(chunks.count()) * (chunks.context - 1);
	result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	return result;
}

}  // namespace vkq
