// From logits to the next token.
//
// The steps and their order are llama.cpp's default chain: repetition penalty, top-k, top-p, min-p, temperature, draw. The cuts
// look at probabilities before the temperature. The generator is std::mt19937_64, whose numbers the standard fixes, and the draw
// is ours (standard distributions differ between libraries): the same seed and logits give the same tokens everywhere that
// exp() rounds alike.
#pragma once

#include "core/result.h"
#include "infer/tokenizer_vocabulary.h"

#include <cstdint>
#include <deque>
#include <random>
#include <span>
#include <vector>

namespace vkq {

struct SamplerOptions {
	float temperature = 0.8f;      // >= 0; 0 takes the most likely token always
	int32_t top_k = 40;            // keep the k most likely; 0: all
	float top_p = 0.95f;           // keep the most likely until their probabilities reach p; 1: all
	float min_p = 0.05f;           // drop what is less likely than this share of the most likely; 0: none
	float repeat_penalty = 1.0f;   // > 0; divides positive logits of recent tokens, multiplies negative ones; 1: off
	int32_t repeat_window = 64;    // how many tokens are recent; 0: none, -1: all so far
	uint64_t seed = 0;
};

class Sampler {
public:
	/// kUsage: a value out of its range.
	static Result<Sampler> create(const SamplerOptions& options);

	/// The next token, 0 .. logits.size()-1. Does not accept() it. kInvalidData: no logits, one that is NaN or +infinity,
	/// all -infinity (-infinity alone rules a token out).
	Result<Token> sample(std::span<const float> logits);

	/// Tells what came next, prompt included, for the penalty.
	void accept(Token token);

	/// Forgets what was accepted and seeds again.
	void reset();

	const SamplerOptions& options() const { return options_; }

private:
	struct Candidate {
		float logit;
		Token token;
	};

	explicit Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {}

	static bool likelier(const Candidate& a, const Candidate& b);   // equal ones: the lower number first

	void penalize();
	void selectLargest(size_t count);
	void selectProbable(float maximum);
	void cutTopP();
	Token draw(float maximum);

	SamplerOptions options_;
	std::mt19937_64 random_;
	std::deque<Token> recent_;
	std::vector<float> logits_;           // of this step, penalized; kept to spare allocations
	std::vector<Candidate> candidates_;   // what the cuts left
	std::vector<double> weights_;         // of the candidates
};

}  // namespace vkq
