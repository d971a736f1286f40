// Text tables with aligned columns.
#pragma once

#include <string>
#include <vector>

namespace vkq::tools {

enum class Align { Left, Right };

/// Columns are as wide as their widest cell, in characters, two spaces apart; lines have no trailing spaces.
class Table {
public:
	struct Column { std::string title; Align align = Align::Left; };

	explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
	/// As many cells as there are columns.
	void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
	bool empty() const { return rows_.empty(); }

	/// Title line and rows, each with `indent` spaces before and a newline after. Without titles if all are empty.
	std::string text(size_t indent = 0) const;

private:
	std::vector<Column> columns_;
	std::vector<std::vector<std::string>> rows_;
};

}  // namespace vkq::tools
