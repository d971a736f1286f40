// Advice and plans as people and programs read them: tables, bars, arithmetic, JSON. Text ends with a newline.
#pragma once

#include "planner/advise.h"
#include "planner/rule_of_thumb.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace vkq {

/// One line a candidate.
std::string adviceTable(const Advice& advice);

/// The last line of vkplan: "recommended: Q5_K_M", or "recommended: none (smallest ...)".
std::string recommendationLine(const Advice& advice);

/// A bar for every heap that the plan uses: what takes how much of it.
std::string heapBars(const Request& request, const Plan& plan);

/// A line for each other way to lay the candidate out; empty with one device.
std::string alternativesText(const Candidate& candidate);

/// Where the bytes come from, step by step.
std::string explain(const Candidate& candidate);

/// The document that docs/vkplan.md describes.
nlohmann::ordered_json adviceJson(const Advice& advice);
nlohmann::ordered_json planJson(const Request& request, const Plan& plan);

std::string thumbTable(const ThumbAnswer& answer);
std::string recommendationLine(const ThumbAnswer& answer);
nlohmann::ordered_json thumbJson(const ThumbAnswer& answer);

}  // namespace vkq
