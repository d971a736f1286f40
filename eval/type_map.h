// Which type every tensor has, by layer: a table for the report.
#pragma once

#include "eval/comparison.h"

#include <string>

namespace vkq {

/// An HTML table: a row for each kind of tensor, a column for each layer, deeper colour for more bits; tensors of no layer in a line above it. Empty where
/// the level's tensors are not known.
std::string typeMapHtml(const ComparedLevel& level);

/// "blk.3.ffn_up.weight" -> 3, "ffn_up"; nothing for tensors of no layer.
std::optional<std::pair<uint32_t, std::string>> layerAndKind(std::string_view name);

}  // namespace vkq
