// Several levels of one model measured alike: size, quality, speed, memory, answers. What `vkeval compare` prints and draws.
#pragma once

#include "core/result.h"
#include "eval/base_logits.h"
#include "eval/divergence.h"
#include "eval/tensor_errors.h"
#include "ggufio/model_source.h"
#include "infer/session.h"
#include "infer/tokenizer.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

struct CompareOptions {
	SessionOptions session;            // devices and cache types; contexts are set by what is measured
	uint32_t plan_context = 0;         // tokens that memory is planned for; 0: what the model was trained for, at most kDefaultContext
	uint64_t memory = 0;               // bytes of the device that may be used in that plan; 0: what is free
	std::string prompt;                // empty: no answers
	uint32_t predict = 48;             // most tokens of an answer
};

/// Greedy, so that equal models give equal answers.
struct Answer {
	std::vector<Token> tokens;
	std::string text;
	uint32_t common_tokens = 0;        // as in the original's answer
	size_t common_bytes = 0;           // of `text`: where the answers part; text.size() where they do not
	bool parts = false;
};

struct ComparedLevel {
	std::string name;                  // "Q4_K_M", a file's name; with the cache's types where those differ between levels
	std::string file_type, cache;      // "Q4_K_M"; "f16", "q8_0/q4_0"
	bool chosen = false;               // its tensors' types were chosen for this model (vkquant.recipe)
	uint64_t file_bytes = 0;
	double bits_per_weight = 0;
	std::optional<Divergence> divergence;   // of the original: only its perplexity means something. Nothing where it does not fit
	double prompt_rate = 0, generation_rate = 0;   // tokens/s
	uint64_t planned_bytes = 0;        // on devices, at CompareOptions::plan_context
	bool fits = false;
	std::string reason;                // why not
	TensorErrors errors;               // empty for the original and for levels that are only another cache
	std::optional<Answer> answer;
	bool on_frontier = false;          // no other level of a fixed file type is both smaller (Comparison::sizeOf) and closer to the original, nor is this one chosen
};

struct Comparison {
	std::string model, text, device;
	uint32_t context = 0, chunks = 0, plan_context = 0;
	uint64_t available = 0;            // bytes of the device that the plans may use
	std::string prompt;
	ComparedLevel original;
	std::vector<ComparedLevel> levels; // in the user's order

	/// Whether levels differ in their caches alone: then sizes are planned memory, else bytes of files.
	bool cachesOnly() const;
	uint64_t sizeOf(const ComparedLevel& level) const { return cachesOnly() ? level.planned_bytes : level.file_bytes; }

	/// The level that is recommended: the smallest of those that fit whose perplexity rises by kAcceptableRise at most, standard error of the
	/// ratio taken off; where none does, the one closest to the original. Null where nothing fits.
	const ComparedLevel* recommended() const;
	/// The same in words: which, why, and what the next ones would cost.
	std::string recommendation() const;
	void markFrontier();
};
constexpr double kAcceptableRise = 0.02;   // of perplexity: two per cent

/// Told of each stage, "Q4_K_M: predictions", and how much of the level's work is done (0..1, roughly in time); false stops with kInterrupted.
using CompareProgress = std::function<bool(std::string_view stage, double share)>;

/// Perplexity, speed, plan and answer of the original. Its log-probabilities go to `base` for the levels.
Result<ComparedLevel> measureOriginal(const ModelSource& original, const Tokenizer& tokenizer, const TextChunks& chunks, const CompareOptions& options,
                                      const std::filesystem::path& base, const CompareProgress& progress = {});

/// The same of a level, and its divergence from the original. Tensors are compared unless `level` is the original itself (another cache).
Result<ComparedLevel> measureLevel(const ModelSource& level, const ModelSource& original, const ComparedLevel& original_measured, const Tokenizer& tokenizer,
                                   const TextChunks& chunks, const BaseLogits& base, const CompareOptions& options, const CompareProgress& progress = {});

/// "f16", or "q8_0/q4_0" where keys and values differ.
std::string cacheName(TensorType k, TensorType v);

}  // namespace vkq
