// Plots as inline SVG: no script, no network. Colours are the page's CSS variables (--series-0 .. --series-7, --grid, --accent), text is its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

struct PlotAxis {
	std::string title;
	bool logarithmic = false;
	std::optional<double> limit = {};   // of y: a line across, with `limit_label` on it
	std::string limit_label = {};
};

struct PlotPoint {
	double x = 0, y = 0;
	double error = 0;           // of y; drawn as a bar
	std::string label;
	bool emphasized = false;    // the recommended one
};

/// Points with labels that do not cover one another, and a line through `line` (indices in order of x): the frontier.
std::string scatterSvg(const PlotAxis& x, const PlotAxis& y, const std::vector<PlotPoint>& points, const std::vector<size_t>& line, std::string_view description);

struct PlotCurve {
	std::string label;
	std::vector<std::pair<double, double>> points;   // in order of x
};

/// Lines, told apart by colour and by a label at their right end.
std::string curvesSvg(const PlotAxis& x, const PlotAxis& y, const std::vector<PlotCurve>& curves, std::string_view description);

/// A matrix of shades between `smallest` and `largest` (logarithmic: errors of formats differ by powers of ten), the values written into the cells where
/// there is room; negative cells are left out. cells[row][column] are shares.
std::string heatSvg(const std::vector<std::string>& rows, const std::vector<std::string>& columns, const std::vector<std::vector<double>>& cells, double smallest, double largest,
                    std::string_view description);

/// &, <, > and quotes written so that text stays text; control characters become spaces.
std::string escapeHtml(std::string_view text);

}  // namespace vkq
