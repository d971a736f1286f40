#include "eval/divergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace vkq {

namespace {

constexpr float kNegligible = -16;   // log-probabilities of the original below this do not count

/// Gathers positions and gives the figures at the end.
class Gatherer {
public:
	Result<void> add(const ScoredPosition& position, std::span<const float> base) {
		VKQ_TRY(const double total, logSumExp(position));
		double kld = 0;
		size_t top = 0, base_top = 0;
		for (size_t i = 0; i < base.size(); ++i) {
			if (position.logits[i] > position.logits[top]) top = i;
			if (base[i] > base[base_top]) base_top = i;
			if (base[i] <= kNegligible) continue;
			kld += std::exp(double(base[i])) * (double(base[i]) - (double(position.logits[i]) - total));
		}
		const double log_p = double(position.logits[position.next]) - total, log_base = base[size_t(position.next)];
		const double delta = std::exp(log_p) - std::exp(log_base);
		surprise_.add(-log_p);
		base_surprise_.add(-log_base);
		products_ += log_p * log_base;
		kld_.add(kld);
		delta_.add(delta);
		square_delta_.add(delta * delta);
		same_top_.add(top == base_top);
		result_.klds.push_back(float(kld));
		result_.delta_ps.push_back(float(delta));
		return {};
	}

	double meanKld() const { return kld_.mean(); }

	Divergence finish() {
		const double n = double(surprise_.count());
		result_.positions = surprise_.count();
		const double covariance = n > 1 ? (products_ / n - surprise_.mean() * base_surprise_.mean()) / (n - 1) : 0;
		const double error = surprise_.standardError(), base_error = base_surprise_.standardError();
		result_.perplexity = {std::exp(surprise_.mean()), std::exp(surprise_.mean()) * error};
		result_.base_perplexity = {std::exp(base_surprise_.mean()), std::exp(base_surprise_.mean()) * base_error};
		result_.correlation = error > 0 && base_error > 0 ? covariance / (error * base_error) : 1;
		// Both models see the same text: their errors move together, and the ratio is known better than either figure.
		const double log_ratio = surprise_.mean() - base_surprise_.mean();
		const double log_ratio_error = std::sqrt(std::max(0.0, error * error + base_error * base_error - 2 * covariance));
		result_.log_ratio = {log_ratio, log_ratio_error};
		result_.ratio = {std::exp(log_ratio), std::exp(log_ratio) * log_ratio_error};
		const double p = result_.perplexity.mean, b = result_.base_perplexity.mean;
		result_.difference = {p - b, std::sqrt(std::max(0.0, p * p * error * error + b * b * base_error * base_error - 2 * p * b * covariance))};
		result_.kld = kld_.meanError();
		result_.delta_p = delta_.meanError();
		const double rms = std::sqrt(square_delta_.mean());
		result_.rms_delta_p = {rms, rms > 0 ? 0.5 * square_delta_.standardError() / rms : 0};
		result_.same_top = same_top_.meanError();
		std::sort(result_.klds.begin(), result_.klds.end());
		std::sort(result_.delta_ps.begin(), result_.delta_ps.end());
		return std::move(result_);
	}

private:
	Sums surprise_, base_surprise_, kld_, delta_, square_delta_, same_top_;
	double products_ = 0;
	Divergence result_;
};

/// Log-probabilities of the original for each scored position of one chunk, in order.
using ChunkBase = std::function<Result<void>(uint32_t chunk, uint32_t index, std::vector<float>& log_probabilities)>;

Result<Divergence> measure(Session& session, const TextChunks& chunks, const std::function<Result<void>(uint32_t chunk)>& prepare, const ChunkBase& base,
                           const EvalProgress& progress) {
	const auto start = std::chrono::steady_clock::now();
	Gatherer gatherer;
	std::vector<float> log_probabilities;
	for (uint32_t chunk = 0; chunk < chunks.count(); ++chunk) {
		VKQ_CHECK(prepare(chunk));
		const auto compare = [&](const ScoredPosition& position) -> Result<void> {
			VKQ_CHECK(base(chunk, position.position - chunks.firstScored(), log_probabilities));
			return gatherer.add(position, log_probabilities);
		};
		VKQ_CHECK(scoreChunk(session, chunks, chunk, compare));
		if (progress && !progress(chunk + 1, chunks.count(), gatherer.meanKld())) return fail(ErrorCode::kInterrupted, "interrupted");
	}
	Divergence result = gatherer.finish();
	result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	return result;
}

Error vocabulariesDiffer(uint64_t ours, uint64_t theirs) {
	return fail(ErrorCode::kInvalidData, fmt::format("the model has {} tokens and the original {}: they cannot be compared", ours, theirs), "compare a model with the original that it was made from");
}

}  // namespace

Result<Divergence> measureDivergence(Session& session, const TextChunks& chunks, const BaseLogits& base, const EvalProgress& progress) {
	if (session.model().n_vocab != base.vocabulary()) return vocabulariesDiffer(session.model().n_vocab, base.vocabulary());
	return measure(
		session, chunks, [](uint32_t) { return Result<void>(); },
		[&](uint32_t chunk, uint32_t index, std::vector<float>& log_probabilities) {
			return base.read(uint64_t(chunk) * chunks.scoredPerChunk() + index, log_probabilities);
		},
		progress);
}

Result<Divergence> measureDivergence(Session& session, Session& original, const TextChunks& chunks, const EvalProgress& progress) {
	if (session.model().n_vocab != original.model().n_vocab) return vocabulariesDiffer(session.model().n_vocab, original.model().n_vocab);
	// One chunk of the original at a time: scored positions x vocabulary floats.
	const uint32_t vocabulary = session.model().n_vocab;
	std::vector<float> chunk_base(size_t(chunks.scoredPerChunk()) * vocabulary);
	const auto prepare = [&](uint32_t chunk) {
		return scoreChunk(original, chunks, chunk, [&](const ScoredPosition& position) -> Result<void> {
			VKQ_TRY(const double total, logSumExp(position));
			float* out = chunk_base.data() + size_t(position.position - chunks.firstScored()) * vocabulary;
			for (uint32_t i = 0; i < vocabulary; ++i) out[i] = float(double(position.logits[i]) - total);
			return {};
		});
	};
	const auto base = [&](uint32_t, uint32_t index, std::vector<float>& log_probabilities) {
		const float* from = chunk_base.data() + size_t(index) * vocabulary;
		log_probabilities.assign(from, from + vocabulary);
		return Result<void>();
	};
	return measure(session, chunks, prepare, base, progress);
}

}  // namespace vkq
