// The order in which ggml's Vulkan backend runs a graph: operations that depend on nothing that is still to come are pulled forward, so that
// neighbours can run at the same time. What runs earlier has to be kept longer, so the order decides how much memory a graph takes.
#pragma once

#include "planner/graph_memory.h"

#include <span>

namespace vkq {

/// `ids` (operations of `nodes`, in a valid order) in that order.
std::vector<GraphId> pulledForward(std::span<const GraphNode> nodes, std::span<const GraphId> ids);

}  // namespace vkq
