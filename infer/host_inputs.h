// What the host computes for a step: embeddings gathered from the file's table, and the cosines and sines of every position.
//
// The table stays in the mapped file: a step needs `tokens` rows of it, and a device copy would cost hundreds of MiB for them. Rows are
// decoded by quant/codec.h, whatever their type. Angles are computed in double precision: Vulkan's sine is only good for small ones.
#pragma once

#include "arch/model.h"
#include "arch/rope.h"
#include "ggufio/model_source.h"
#include "infer/tokenizer_vocabulary.h"

#include <array>
#include <span>
#include <vector>

namespace vkq {

class HostInputs {
public:
	/// `source` must outlive this. `context` decides which LongRope factors serve.
	static Result<HostInputs> create(const ModelSource& source, const Hyperparameters& model, uint32_t context);

	/// f32 [tokens][n_embd], scaled as the family wants. Tokens must be in the vocabulary.
	Result<void> embed(std::span<const Token> tokens, float* out) const;

	/// f32 [1 or 2][tokens][rope_dims / 2][2] for positions first_position ...; the second table is the sliding layers'.
	void rotate(uint32_t first_position, uint32_t tokens, float* out) const;

private:
	const ModelSource* source_ = nullptr;
	const Hyperparameters* model_ = nullptr;
	size_t table_ = 0;                        // tensor
	std::vector<RopeFrequencies> frequencies_;
};

}  // namespace vkq
