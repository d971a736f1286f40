// vkplan --runtime llama.cpp: the same question about another runtime's memory.
#pragma once

#include "core/result.h"
#include "planner/advise.h"

#include <string>

namespace vkq::tools {

/// Prints the table (or JSON) and the recommendation; the exit code.
Result<int> planForLlamaCpp(const AdviceRequest& request, std::string_view model, const std::string& split, bool json);

}  // namespace vkq::tools
