// A recipe: which type every tensor takes, as text. One `REGEX=TYPE` a line and nothing else, because llama-quantize's --tensor-type-file
// knows no comments: both tools make the same mixture of the same file.
//
//   ^output\.weight$=q6_k
//   ^blk\.(0|1|5)\.attn_v\.weight$=q5_k
//   ^blk\.[0-9]+\.ffn_up\.weight$=iq4_xs         all layers that have it
//
// Read by readTensorTypeFile() of settings_text.h.
#pragma once

#include "quant/format.h"
#include "quant/mixture.h"

#include <span>
#include <string>
#include <vector>

namespace vkq {

struct RecipeEntry {
	std::string name;      // of a tensor
	TensorType type = TensorType::F32;
};

/// Lines that give each entry's tensor its type. Layers that agree share a line; every name matches its own line and no other's. Of a name, what
/// a pattern cannot hold (capitals, blanks, '#', '=') becomes "any character".
std::vector<MixtureOptions::Override> recipeLines(std::span<const RecipeEntry> entries);

/// As written to a file, with a newline after every line.
std::string recipeText(std::span<const MixtureOptions::Override> lines);

}  // namespace vkq
