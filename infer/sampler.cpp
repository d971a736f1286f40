#include "infer/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_set>

namespace vkq {

Result<Sampler> Sampler::create(const SamplerOptions& options) {
	const auto refuse = [](std::string_view what, auto value, std::string_view range) {
		return fail(ErrorCode::kUsage, fmt::format("{} is {}, must be {}", what, value, range));
	};
	if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) return refuse("the temperature", options.temperature, "0 or more");
	if (options.top_k < 0) return refuse("top-k", options.top_k, "0 or more");
	if (!(options.top_p >= 0 && options.top_p <= 1)) return refuse("top-p", options.top_p, "between 0 and 1");
	if (!(options.min_p >= 0 && options.min_p <= 1)) return refuse("min-p", options.min_p, "between 0 and 1");
	if (!(options.repeat_penalty > 0) || !std::isfinite(options.repeat_penalty))
		return refuse("the repetition penalty", options.repeat_penalty, "more than 0");
	if (options.repeat_window < -1) return refuse("the repetition window", options.repeat_window, "-1 or more");
	return Sampler(options);
}

void Sampler::accept(Token token) {
	if (options_.repeat_penalty == 1.0f || options_.repeat_window == 0) return;
	recent_.push_back(token);
	if (options_.repeat_window > 0 && recent_.size() > size_t(options_.repeat_window)) recent_.pop_front();
}

void Sampler::reset() {
	recent_.clear();
	random_.seed(options_.seed);
}

void Sampler::penalize() {
	for (const Token token : std::unordered_set<Token>(recent_.begin(), recent_.end())) {
		if (token < 0 || size_t(token) >= logits_.size()) continue;
		float& logit = logits_[token];
		logit = logit <= 0 ? logit * options_.repeat_penalty : logit / options_.repeat_penalty;
	}
}

bool Sampler::likelier(const Candidate& a, const Candidate& b) { return a.logit != b.logit ? a.logit > b.logit : a.token < b.token; }

/// The `count` largest, sorted. One pass over the vocabulary against a rising threshold: only what may belong to the largest
/// is looked at again, so that 256 thousand logits cost little more than reading them.
void Sampler::selectLargest(size_t count) {
	count = std::min(count, logits_.size());
	const size_t room = std::max<size_t>(4 * count, 256);
	float threshold = -std::numeric_limits<float>::infinity();
	candidates_.clear();
	for (size_t i = 0; i < logits_.size(); ++i) {
		// Not >: an equal one of a higher number loses against those that set the threshold.
		if (!(logits_[i] > threshold) && candidates_.size() >= count) continue;
		candidates_.push_back({logits_[i], Token(i)});
		if (candidates_.size() < room) continue;
		std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end(), likelier);
		candidates_.resize(count);
		threshold = candidates_.back().logit;
	}
	if (candidates_.size() > count) {
		std::nth_element(candidates_.begin(), candidates_.begin() + (count - 1), candidates_.end(), likelier);
		candidates_.resize(count);
	}
	std::sort(candidates_.begin(), candidates_.end(), likelier);
}

/// Top-p over the whole vocabulary without sorting it: likelihoods are summed by how far the logit lies below the largest. Bins
/// up to the one where the sum reaches p are kept, and only that one needs order.
void Sampler::selectProbable(float maximum) {
	constexpr size_t kBins = 2048;
	constexpr float kBinsPerUnit = 64;   // the last bin takes all below exp(-32)
	const auto binOf = [&](float logit) { return size_t(std::min((maximum - logit) * kBinsPerUnit, float(kBins - 1))); };
	std::array<double, kBins> sums{};
	for (const float logit : logits_) sums[binOf(logit)] += std::exp(double(logit - maximum));
	const double wanted = options_.top_p * std::accumulate(sums.begin(), sums.end(), 0.0);
	size_t last = 0;
	double sum = 0;   // of the bins before `last`
	while (last + 1 < kBins && sum + sums[last] < wanted) sum += sums[last++];

	std::vector<Candidate> edge;
	candidates_.clear();
	for (size_t i = 0; i < logits_.size(); ++i) {
		const size_t bin = binOf(logits_[i]);
		if (bin <= last) (bin == last ? edge : candidates_).push_back({logits_[i], Token(i)});
	}
	std::sort(edge.begin(), edge.end(), likelier);
	for (const Candidate& candidate : edge) {
		candidates_.push_back(candidate);
		sum += std::exp(double(candidate.logit - maximum));
		if (sum >= wanted) break;
	}
}

void Sampler::cutTopP() {
	const float maximum = candidates_.front().logit;
	double total = 0, sum = 0;
	for (const Candidate& candidate : candidates_) total += std::exp(double(candidate.logit - maximum));
	for (size_t i = 0; i < candidates_.size(); ++i) {
		sum += std::exp(double(candidates_[i].logit - maximum));
		if (sum < options_.top_p * total) continue;
		candidates_.resize(i + 1);
		return;
	}
}

Token Sampler::draw(float maximum) {
	weights_.clear();
	double total = 0;
	for (const Candidate& candidate : candidates_) {
		weights_.push_back(std::exp(double(candidate.logit - maximum) / options_.temperature));
		total += weights_.back();
	}
	const double unit = double(random_() >> 11) * 0x1p-53;  // [0, 1), all 53 bits
	double left = unit * total;
	size_t last = 0;   // rounding may leave a crumb; it belongs to the last that can come at all
	for (size_t i = 0; i < candidates_.size(); ++i) {
		left -= weights_[i];
		if (left < 0) return candidates_[i].token;
		if (weights_[i] > 0) last = i;
	}
	return candidates_[last].token;
}

Result<Token> Sampler::sample(std::span<const float> logits) {
	if (logits.empty()) return fail(ErrorCode::kInvalidData, "there are no logits to sample from");
	logits_.assign(logits.begin(), logits.end());
	for (size_t i = 0; i < logits_.size(); ++i) {
		if (logits_[i] < std::numeric_limits<float>::infinity()) continue;
		return fail(ErrorCode::kInvalidData, fmt::format("the logit of token {} is {}", i, std::isnan(logits_[i]) ? "not a number" : "infinite"),
		            "the model's weights or the device's arithmetic are broken: try an F16 file or another device");
	}
	penalize();
	const auto largest = std::max_element(logits_.begin(), logits_.end());
	const float maximum = *largest;
	if (maximum == -std::numeric_limits<float>::infinity()) return fail(ErrorCode::kInvalidData, "every token is ruled out");
	if (options_.temperature == 0) return Token(largest - logits_.begin());

	if (options_.top_k > 0 && size_t(options_.top_k) < logits_.size()) {
		selectLargest(size_t(options_.top_k));
		if (options_.top_p < 1) cutTopP();
	} else if (options_.top_p < 1) {
		selectProbable(maximum);
	} else {
		candidates_.resize(logits_.size());
		for (size_t i = 0; i < logits_.size(); ++i) candidates_[i] = {logits_[i], Token(i)};
	}
	if (options_.min_p > 0) {
		const float least = maximum + std::log(options_.min_p);
		std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.logit < least; });
	}
	return draw(maximum);
}

}  // namespace vkq
