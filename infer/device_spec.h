// An opened device as the planner sees it: its real limits, and the budget that it has now.
#pragma once

#include "kernels/product.h"
#include "planner/request.h"

namespace vkq {

/// `kernels` says how many rows of a weight lie interleaved.
DeviceSpec deviceSpec(const Kernels& kernels);

}  // namespace vkq
