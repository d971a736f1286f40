// The reference's base-logits file: log-probabilities of a model over a text, 16 bits each, to compare other models with.
//
//   "_logits_", i32 context, i32 vocabulary, i32 chunks, i32 tokens[chunks * context] (before beginnings are put in), then for each scored
//   position: f32 scale, f32 lowest, u16 code[vocabulary], padded to an even count; log p = scale * code + lowest
//
// Logits more than 16 below the largest are raised to that; scale spreads the rest over 65535 steps.
#pragma once

#include "core/result.h"
#include "eval/scoring.h"
#include "eval/text_chunks.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace vkq {

class BaseLogitsWriter {
public:
	/// Grows as OUTPUT.partial; space is checked before. kExists unless `overwrite`.
	static Result<BaseLogitsWriter> create(const std::filesystem::path& output, const TextChunks& chunks, uint32_t vocabulary, bool overwrite);
	BaseLogitsWriter(BaseLogitsWriter&&) noexcept;
	BaseLogitsWriter& operator=(BaseLogitsWriter&&) noexcept;
	~BaseLogitsWriter();

	/// Positions in order, all of them.
	Result<void> add(std::span<const float> logits);
	Result<void> finish();

private:
	struct Impl;
	explicit BaseLogitsWriter(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

class BaseLogits {
public:
	/// Memory-mapped; sizes are checked against the file's length.
	static Result<BaseLogits> open(const std::filesystem::path& path);
	BaseLogits(BaseLogits&&) noexcept;
	BaseLogits& operator=(BaseLogits&&) noexcept;
	~BaseLogits();

	uint32_t context() const;
	uint32_t vocabulary() const;
	uint32_t chunks() const;
	const std::vector<Token>& tokens() const;

	/// Log-probabilities of scored position `index` (0 .. chunks * scoredPerChunk), [vocabulary]. kIo when the file was cut short meanwhile.
	Result<void> read(uint64_t index, std::vector<float>& log_probabilities) const;

private:
	struct Impl;
	explicit BaseLogits(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

/// One position as the file keeps it: [4 + vocabulary rounded up to even] words of 16 bits.
std::vector<uint16_t> packLogProbabilities(std::span<const float> logits);

}  // namespace vkq
