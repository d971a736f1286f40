// A plain forward pass on the host, all weights as floats, all sums in double precision: the oracle of infer/, for tests.
// It follows the model in the same order as infer/decode and shares no code with the kernels.
#pragma once

#include "arch/model.h"
#include "ggufio/model_source.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace vkq::ref {

struct Model {
	Hyperparameters h;
	std::map<std::string, std::vector<float>, std::less<>> tensors;   // decoded, row after row
	const std::vector<float>* find(std::string_view name) const;      // null where the model has none
};

/// Decodes every tensor.
Result<Model> load(const ModelSource& source);

/// Keys (rotated) and values of all tokens so far: [layer][token][n_embd_kv].
struct Cache {
	std::vector<std::vector<float>> keys, values;
	uint32_t tokens = 0;
};

/// Feeds `tokens` after those in the cache. Returns logits [tokens][n_vocab]. `context` decides which LongRope factors serve.
std::vector<float> forward(const Model& model, Cache& cache, std::span<const uint32_t> tokens, uint32_t context);

}  // namespace vkq::ref
