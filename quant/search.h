// How hard an encoder looks for a block's scales and codes.
#pragma once

#include <optional>
#include <string_view>

namespace vkq {

/// kReference gives the reference's bytes. kBest looks further for a smaller error at the same size (docs/formats.md, "Best search");
/// formats without such an encoder take the reference's (hasBestSearch() of codec.h).
enum class Search { kReference, kBest };

constexpr std::string_view searchName(Search search) { return search == Search::kBest ? "best" : "reference"; }

constexpr std::optional<Search> searchFromName(std::string_view name) {
	for (const Search search : {Search::kReference, Search::kBest})
		if (name == searchName(search)) return search;
	return std::nullopt;
}

}  // namespace vkq
