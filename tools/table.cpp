#include "tools/table.h"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace vkq::tools {

namespace {

// Code points, which is what terminals count for the scripts that names are written in.
size_t width(std::string_view text) {
	return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string Table::text(size_t indent) const {
	std::vector<size_t> widths;
	for (size_t column = 0; column < columns_.size(); ++column) {
		size_t widest = width(columns_[column].title);
		for (const auto& row : rows_) widest = std::max(widest, width(row[column]));
		widths.push_back(widest);
	}
	std::string out;
	const auto addLine = [&](const auto& cellOf) {
		std::string line(indent, ' ');
		for (size_t column = 0; column < columns_.size(); ++column) {
			if (column != 0) line += "  ";
			const std::string& cell = cellOf(column);
			const std::string padding(widths[column] - width(cell), ' ');
			line += columns_[column].align == Align::Left ? cell + padding : padding + cell;
		}
		line.erase(line.find_last_not_of(' ') + 1);
		out += line + '\n';
	};
	if (std::any_of(columns_.begin(), columns_.end(), [](const Column& column) { return !column.title.empty(); }))
		addLine([&](size_t column) -> const std::string& { return columns_[column].title; });
	for (const auto& row : rows_) {
		assert(row.size() == columns_.size());
		addLine([&](size_t column) -> const std::string& { return row[column]; });
	}
	return out;
}

}  // namespace vkq::tools
