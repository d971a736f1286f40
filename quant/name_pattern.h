// Regular expressions over tensor names, as --tensor-type takes them.
#pragma once

#include "core/result.h"

#include <regex>
#include <string>
#include <string_view>

namespace vkq {

/// An ECMAScript expression, lower-cased first as the reference does, searched for anywhere in a name.
///
/// A pattern cannot make the search hang: its length is limited and matching takes polynomial time, for which
/// back-references are given up.
class NamePattern {
public:
	static Result<NamePattern> compile(std::string_view pattern);

	bool foundIn(std::string_view name) const;

private:
	explicit NamePattern(std::regex expression) : expression_(std::move(expression)) {}
	std::regex expression_;
};

}  // namespace vkq
