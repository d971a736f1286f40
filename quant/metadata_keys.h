// Metadata keys of our own that more than one folder asks for.
#pragma once

#include <string_view>

namespace vkq {

/// That tensors' types were chosen under a budget instead of by a file type's rules: under which, and how.
inline constexpr std::string_view kRecipeKey = "vkquant.recipe";

}  // namespace vkq
