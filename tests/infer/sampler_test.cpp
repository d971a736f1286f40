#include "infer/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

using namespace vkq;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Everything off; tests turn on what they look at.
SamplerOptions plain() { return {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .repeat_penalty = 1, .repeat_window = 64, .seed = 1}; }

Sampler make(const SamplerOptions& options) {
	auto sampler = Sampler::create(options);
	EXPECT_TRUE(sampler.ok());
	return std::move(*sampler);
}

std::vector<float> randomLogits(size_t count, uint32_t seed, float spread = 3) {
	std::mt19937 random(seed);
	std::normal_distribution<float> normal(0, spread);
	std::vector<float> logits(count);
	for (float& logit : logits) logit = normal(random);
	return logits;
}

std::map<Token, int> countDraws(Sampler& sampler, const std::vector<float>& logits, int draws) {
	std::map<Token, int> counts;
	for (int i = 0; i < draws; ++i) {
		auto token = sampler.sample(logits);
		EXPECT_TRUE(token.ok());
		++counts[*token];
	}
	return counts;
}

/// The tokens that survive the cuts, by the definition: sort everything.
std::set<Token> survivors(const std::vector<float>& logits, const SamplerOptions& options) {
	std::vector<Token> order(logits.size());
	std::iota(order.begin(), order.end(), 0);
	std::stable_sort(order.begin(), order.end(), [&](Token a, Token b) { return logits[a] > logits[b]; });
	if (options.top_k > 0) order.resize(std::min<size_t>(order.size(), options.top_k));
	double total = 0, sum = 0;
	for (const Token token : order) total += std::exp(double(logits[token]));
	size_t kept = 0;
	while (kept < order.size() && (kept == 0 || sum < options.top_p * total)) sum += std::exp(double(logits[order[kept++]]));
	if (options.top_p < 1) order.resize(kept);
	std::set<Token> tokens;
	for (const Token token : order)
		if (std::exp(double(logits[token]) - logits[order[0]]) >= options.min_p) tokens.insert(token);
	return tokens;
}

}  // namespace

TEST(Sampler, TakesTheFirstOfTheLargestAtTemperatureZero) {
	SamplerOptions options = plain();
	options.temperature = 0;
	Sampler sampler = make(options);
	EXPECT_EQ(*sampler.sample(std::vector<float>{1, 3, 2, 3}), 1);
	EXPECT_EQ(*sampler.sample(std::vector<float>{-kInfinity, -5, -kInfinity}), 1);
}

TEST(Sampler, DrawsByProbability) {
	Sampler sampler = make(plain());
	const std::vector<float> logits = {std::log(0.1f), std::log(0.6f), -kInfinity, std::log(0.3f)};
	auto counts = countDraws(sampler, logits, 20000);
	EXPECT_NEAR(counts[0], 2000, 200);
	EXPECT_NEAR(counts[1], 12000, 300);
	EXPECT_EQ(counts[2], 0);
	EXPECT_NEAR(counts[3], 6000, 300);
}

TEST(Sampler, TemperatureSharpensAndFlattens) {
	const std::vector<float> logits = {std::log(0.2f), std::log(0.8f)};
	SamplerOptions options = plain();
	options.temperature = 0.5f;  // squares: 1 to 16
	Sampler cold = make(options);
	EXPECT_NEAR(countDraws(cold, logits, 17000)[0], 1000, 150);
	options.temperature = 2;     // roots: 1 to 2
	Sampler hot = make(options);
	EXPECT_NEAR(countDraws(hot, logits, 18000)[0], 6000, 300);
}

TEST(Sampler, KeepsWhatSortingEverythingWouldKeep) {
	for (uint32_t seed = 0; seed < 40; ++seed) {
		std::vector<float> logits = randomLogits(50 + seed * 30, seed, seed % 2 ? 0.7f : 2.0f);
		if (seed % 3 == 0)
			for (float& logit : logits) logit = std::round(logit);  // ties
		SamplerOptions options = plain();
		options.seed = seed;
		options.temperature = 3;
		options.top_k = seed % 4 == 0 ? 0 : int32_t(1 + seed * 2);
		options.top_p = seed % 5 == 0 ? 1.0f : 0.3f + 0.017f * float(seed);
		options.min_p = seed % 2 ? 0.02f * float(seed % 7) : 0.0f;
		Sampler sampler = make(options);
		const auto counts = countDraws(sampler, logits, 3000);
		const auto allowed = survivors(logits, options);
		for (const auto& [token, count] : counts) EXPECT_TRUE(allowed.contains(token)) << "seed " << seed << " token " << token;
		if (allowed.size() < 40) {
			EXPECT_EQ(counts.size(), allowed.size()) << seed;
		}
	}
}

TEST(Sampler, FindsTheTopOfALargeVocabularyInAnyOrder) {
	for (const char order : {'u', 'd', 'r'}) {
		std::vector<float> logits(262144);
		std::iota(logits.begin(), logits.end(), 0.0f);
		if (order == 'd') std::reverse(logits.begin(), logits.end());
		if (order == 'r') std::shuffle(logits.begin(), logits.end(), std::mt19937(7));
		for (float& logit : logits) logit *= 1e-6f;
		SamplerOptions options = plain();
		options.top_k = 20;
		Sampler sampler = make(options);
		const auto allowed = survivors(logits, options);
		const auto counts = countDraws(sampler, logits, 300);
		EXPECT_EQ(counts.size(), 20u);
		for (const auto& [token, count] : counts) EXPECT_TRUE(allowed.contains(token)) << order;
	}
}

TEST(Sampler, TopPOfAFlatLargeVocabularyKeepsItsShare) {
	const std::vector<float> logits(100000, 0.5f);
	SamplerOptions options = plain();
	options.top_p = 0.25f;
	Sampler sampler = make(options);
	for (int i = 0; i < 200; ++i) EXPECT_LT(*sampler.sample(logits), 25001);  // equal ones in order of number
}

TEST(Sampler, PenalizesRecentTokensOnly) {
	SamplerOptions options = plain();
	options.temperature = 0;
	options.repeat_penalty = 2;
	options.repeat_window = 2;
	Sampler sampler = make(options);
	const std::vector<float> positive = {1.5f, 2, 1}, negative = {-1.5f, -1, -3};
	EXPECT_EQ(*sampler.sample(positive), 1);
	sampler.accept(1);
	EXPECT_EQ(*sampler.sample(positive), 0);  // 2 became 1
	EXPECT_EQ(*sampler.sample(negative), 0);  // -1 became -2
	sampler.accept(2);
	sampler.accept(2);
	EXPECT_EQ(*sampler.sample(positive), 1);  // 1 is out of the window
	sampler.accept(1000000);                  // not in the vocabulary: of no consequence
	sampler.accept(-1);
	EXPECT_EQ(*sampler.sample(positive), 1);
}

TEST(Sampler, PenalizesATokenOnceHoweverOftenItCame) {
	SamplerOptions options = plain();
	options.temperature = 0;
	options.repeat_penalty = 2;
	options.repeat_window = -1;
	Sampler sampler = make(options);
	for (int i = 0; i < 5; ++i) sampler.accept(0);
	EXPECT_EQ(*sampler.sample(std::vector<float>{8, 3}), 0);  // 8 / 2 = 4, not 8 / 32
}

TEST(Sampler, RepeatsItselfWithTheSameSeed) {
	const std::vector<float> logits = randomLogits(1000, 3);
	SamplerOptions options = plain();
	options.top_k = 100;
	Sampler first = make(options), second = make(options);
	options.seed = 2;
	Sampler other = make(options);
	std::vector<Token> a, b, c, d;
	for (int i = 0; i < 50; ++i) a.push_back(*first.sample(logits));
	for (int i = 0; i < 50; ++i) b.push_back(*second.sample(logits));
	for (int i = 0; i < 50; ++i) c.push_back(*other.sample(logits));
	first.reset();
	for (int i = 0; i < 50; ++i) d.push_back(*first.sample(logits));
	EXPECT_EQ(a, b);
	EXPECT_EQ(a, d);
	EXPECT_NE(a, c);
}

TEST(Sampler, DrawsTheNumbersThatTheStandardPromises) {
	// mt19937_64 seeded with 1: its first numbers as fractions of 2^64 pick eighths.
	std::mt19937_64 generator(1);
	Sampler sampler = make(plain());
	for (int i = 0; i < 100; ++i) EXPECT_EQ(*sampler.sample(std::vector<float>(8, 0.0f)), Token(generator() >> 61));
}

TEST(Sampler, RefusesBrokenLogits) {
	Sampler sampler = make(plain());
	EXPECT_EQ(sampler.sample(std::vector<float>{}).error().code, ErrorCode::kInvalidData);
	EXPECT_EQ(sampler.sample(std::vector<float>{1, std::nanf(""), 2}).error().message, "the logit of token 1 is not a number");
	EXPECT_EQ(sampler.sample(std::vector<float>{1, 2, kInfinity}).error().message, "the logit of token 2 is infinite");
	EXPECT_EQ(sampler.sample(std::vector<float>(4, -kInfinity)).error().message, "every token is ruled out");
}

TEST(Sampler, RefusesOptionsOutOfRange) {
	const auto refused = [](auto change) {
		SamplerOptions options = plain();
		change(options);
		const auto sampler = Sampler::create(options);
		return !sampler.ok() && sampler.error().code == ErrorCode::kUsage;
	};
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.temperature = -1; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.temperature = std::nanf(""); }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.temperature = kInfinity; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.top_k = -1; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.top_p = 1.5f; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.top_p = std::nanf(""); }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.min_p = -0.1f; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.repeat_penalty = 0; }));
	EXPECT_TRUE(refused([](SamplerOptions& o) { o.repeat_window = -2; }));
	EXPECT_FALSE(refused([](SamplerOptions& o) { o.top_p = 0; o.min_p = 1; o.top_k = 1; o.repeat_window = -1; }));
}
