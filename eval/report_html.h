// A comparison as one self-contained page: figures, plots, answers, the recommendation. No script runs and nothing is fetched; light or dark as the
// reader's system is set; readable on a phone.
#pragma once

#include "eval/comparison.h"

#include <string>
#include <string_view>

namespace vkq {

/// `json` is put into the page as it is, as data: all figures for programs to read. `version` names the program.
std::string reportHtml(const Comparison& comparison, std::string_view json, std::string_view version);

}  // namespace vkq
