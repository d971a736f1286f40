// Published model shapes by size, for planning without a file: "7" is Mistral 7B. Figures are those of the models' own config.json.
#pragma once

#include "arch/model.h"

#include <span>
#include <string>
#include <string_view>

namespace vkq {

/// What distinguishes the models of a family: the fields of Hyperparameters that a config.json gives. 0: the family's default.
struct ModelShape {
	std::string size;             // as a user asks for it: "7", "8x7", "30A3"; lower case 'x', upper case 'A'
	std::string name;             // "Mistral 7B"
	Architecture arch = Architecture::Llama;
	uint32_t n_layer = 0, n_embd = 0, n_ff = 0, n_head = 0, n_head_kv = 0;
	uint32_t head_dim = 0;        // 0: n_embd / n_head
	uint32_t n_vocab = 0, n_ctx_train = 0;
	bool tied_embeddings = false;
	uint32_t n_expert = 0, n_expert_used = 0, n_ff_expert = 0;
	uint32_t sliding_window = 0;
};

std::span<const ModelShape> knownShapes();

/// What a GGUF file of this shape says of it.
Metadata metadataOf(const ModelShape& shape);

/// With the family's rules and range checks, as if the shape had been read from a file.
Result<Hyperparameters> hyperparameters(const ModelShape& shape);

/// Elements of all tensors.
uint64_t parameterCount(const Hyperparameters& hyperparameters);
/// Elements that one token's products read: all but the embedding table (unless tied) and the experts that are not chosen.
uint64_t activeParameterCount(const Hyperparameters& hyperparameters);

/// The shape for a size as users say it: "7", "7B", "0.5b", "8x7", "30A3", "30B-A3B". A size that no model of the table has is made
/// from the nearest dense one (by ratio): its depth, then its feed-forward width are scaled until the parameter count is met;
/// `name` then says so ("5.3 B, scaled from Qwen3 4B"). Mixtures of experts are never scaled.
Result<ModelShape> shapeForSize(std::string_view size);

/// Applies "layers=32,embd=4096,ff=14336,heads=32,kv=8,head_dim=128,vocab=32000,ctx=8192,experts=8,used=2,ff_expert=..,window=..,tied=0|1"
/// and "arch=llama" to `shape`. kUsage names the part that is wrong.
Result<ModelShape> overrideShape(ModelShape shape, std::string_view overrides);

}  // namespace vkq
