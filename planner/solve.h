// Request -> Plan: a pure function. The runtime calls it with the device's real limits, vkplan with those of a device that
// may not exist.
//
// Layers go to devices in contiguous runs. One device alone is preferred when it holds everything (the fastest that does);
// else the fastest devices are filled first, because one token passes through all of them in turn and its time is the sum.
// What fits nowhere stays in host memory if the request allows it, layers from the last one down.
#pragma once

#include "core/result.h"
#include "planner/plan.h"

namespace vkq {

/// An Error means that the request makes no sense (no device, context 0, a cache type that the heads do not divide by);
/// a model that is too large gives a Plan with fits == false, reason and missing filled in, and the placements of what was tried.
Result<Plan> solve(const Request& request);

/// The same request on fewer tokens: the largest context (a multiple of kCellAlignment, at most `most`) that fits, 0 if none does.
uint32_t largestContext(const Request& request, uint32_t most);

}  // namespace vkq
