#include "eval/plot_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace vkq {

namespace {

// In units of the view box, which is about as wide as a phone: letters stay readable there.
constexpr double kWidth = 460, kHeight = 320, kLeft = 58, kRight = 14, kTop = 12, kBottom = 44;
constexpr double kEndLabels = 62;             // room for labels at the right ends of curves
constexpr double kLetter = 7.2, kLine = 13;   // of the labels' font
constexpr size_t kSeries = 8;                 // colours that the page defines

std::string tickText(double value) {
	const double size = std::fabs(value);
	if (size != 0 && (size < 0.001 || size >= 1e6)) {
		const int power = int(std::floor(std::log10(size) + 1e-9));
		return fmt::format("{:.0f}e{}", value / std::pow(10, power), power);
	}
	return fmt::format("{:g}", std::round(value * 1e6) / 1e6);
}

class Scale {
public:
	Scale(double low, double high, bool logarithmic, double from, double to) : logarithmic_(logarithmic), from_(from), to_(to) {
		low_ = place(low);
		high_ = place(high);
		if (!(high_ - low_ > 1e-12)) low_ -= 0.5, high_ += 0.5;
		const double margin = 0.06 * (high_ - low_);
		low_ -= margin;
		high_ += margin;
	}
	double operator()(double value) const { return from_ + (place(value) - low_) / (high_ - low_) * (to_ - from_); }

	std::vector<double> ticks() const {
		std::vector<double> ticks;
		if (logarithmic_) {
			const double decades = high_ - low_;
			for (int power = int(std::floor(low_)); power <= int(std::ceil(high_)); ++power)
				for (const double digit : {1.0, 2.0, 5.0}) {
					if (digit > 1 && decades > 2) continue;
					const double value = digit * std::pow(10, power);
					if (place(value) >= low_ && place(value) <= high_) ticks.push_back(value);
				}
			return ticks;
		}
		const double raw = (high_ - low_) / 4, power = std::pow(10, std::floor(std::log10(raw)));
		const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
		for (int64_t at = int64_t(std::ceil(low_ / step)); double(at) * step <= high_; ++at) ticks.push_back(double(at) * step);
		return ticks;
	}

private:
	double place(double value) const { return logarithmic_ ? std::log10(std::max(value, 1e-12)) : value; }
	bool logarithmic_;
	double low_ = 0, high_ = 0, from_, to_;
};

std::string open(double width, double height, std::string_view description) {
	return fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n", width, height, escapeHtml(description));
}

std::string axes(const PlotAxis& x_axis, const PlotAxis& y_axis, const Scale& x, const Scale& y, double right = kRight) {
	std::string svg;
	if (y_axis.limit) {
		svg += fmt::format("<line class=\"limit\" x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, kWidth - right, y(*y_axis.limit));
		svg += fmt::format("<text class=\"tick\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kWidth - right - 2, y(*y_axis.limit) - 4, escapeHtml(y_axis.limit_label));
	}
	for (const double tick : x.ticks()) {
		svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\"/>", x(tick), kTop, kHeight - kBottom);
		svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n", x(tick), kHeight - kBottom + 15, tickText(tick));
	}
	for (const double tick : y.ticks()) {
		svg += fmt::format("<line class=\"grid\" x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>", kLeft, kWidth - right, y(tick));
		svg += fmt::format("<text class=\"tick\" x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 5, y(tick) + 4, tickText(tick));
	}
	svg += fmt::format("<text class=\"title\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n", (kLeft + kWidth - right) / 2, kHeight - 8, escapeHtml(x_axis.title));
	svg += fmt::format("<text class=\"title\" transform=\"translate(13 {:g}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n", (kTop + kHeight - kBottom) / 2,
	                   escapeHtml(y_axis.title));
	return svg;
}

struct Box {
	double left, top, right, bottom;
	bool meets(const Box& other) const { return left < other.right && other.left < right && top < other.bottom && other.top < bottom; }
	bool inside() const { return left >= kLeft && right <= kWidth - 2 && top >= 0 && bottom <= kHeight - kBottom; }
};

/// Finds room for labels beside their points, one after another.
class Labels {
public:
	void avoid(const Box& box) { taken_.push_back(box); }

	std::string place(double x, double y, const std::string& label, std::string_view style) {
		const double width = kLetter * double(label.size());
		std::array<Box, 12> boxes;
		size_t count = 0;
		for (const double away : {8.0, 20.0, 34.0}) {
			boxes[count++] = at(x + away, y - kLine / 2, width);
			boxes[count++] = at(x - away - width, y - kLine / 2, width);
			boxes[count++] = at(x - width / 2, y - away - kLine + 2, width);
			boxes[count++] = at(x - width / 2, y + away - 2, width);
		}
		Box chosen = boxes[0];
		for (const Box& box : boxes) {
			if (!box.inside() || std::any_of(taken_.begin(), taken_.end(), [&](const Box& other) { return other.meets(box); })) continue;
			chosen = box;
			break;
		}
		taken_.push_back(chosen);
		return fmt::format("<text class=\"label {}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", style, chosen.left, chosen.bottom - 3, escapeHtml(label));
	}

private:
	static Box at(double left, double top, double width) { return {left, top, left + width, top + kLine}; }
	std::vector<Box> taken_;
};

template <class Points, class Value>
std::pair<double, double> rangeOf(const Points& points, Value value) {
	double low = INFINITY, high = -INFINITY;
	for (const auto& point : points) {
		low = std::min(low, value(point));
		high = std::max(high, value(point));
	}
	return low <= high ? std::pair(low, high) : std::pair(0.0, 1.0);
}

}  // namespace

std::string escapeHtml(std::string_view text) {
	std::string escaped;
	for (const char c : text) {
		if (c == '&') escaped += "&amp;";
		else if (c == '<') escaped += "&lt;";
		else if (c == '>') escaped += "&gt;";
		else if (c == '"') escaped += "&quot;";
		else if (c == '\'') escaped += "&#39;";
		else escaped += uint8_t(c) < 32 && c != '\n' ? ' ' : c;
	}
	return escaped;
}

std::string scatterSvg(const PlotAxis& x_axis, const PlotAxis& y_axis, const std::vector<PlotPoint>& points, const std::vector<size_t>& line, std::string_view description) {
	const auto [x_low, x_high] = rangeOf(points, [](const PlotPoint& point) { return point.x; });
	auto [y_low, y_high] = rangeOf(points, [](const PlotPoint& point) { return point.y; });
	if (!y_axis.logarithmic) {
		y_low = std::min(y_low, rangeOf(points, [](const PlotPoint& point) { return point.y - point.error; }).first);
		y_high = std::max(y_high, rangeOf(points, [](const PlotPoint& point) { return point.y + point.error; }).second);
	}
	if (y_axis.limit) y_low = std::min(y_low, *y_axis.limit), y_high = std::max(y_high, *y_axis.limit);
	const Scale x(x_low, x_high, x_axis.logarithmic, kLeft, kWidth - kRight), y(y_low, y_high, y_axis.logarithmic, kHeight - kBottom, kTop);
	std::string svg = open(kWidth, kHeight, description) + axes(x_axis, y_axis, x, y);
	if (line.size() > 1) {
		svg += "<polyline class=\"frontier\" points=\"";
		for (const size_t index : line) svg += fmt::format("{:.1f},{:.1f} ", x(points[index].x), y(points[index].y));
		svg += "\"/>\n";
	}
	Labels labels;
	for (const PlotPoint& point : points) labels.avoid({x(point.x) - 5, y(point.y) - 5, x(point.x) + 5, y(point.y) + 5});
	for (const PlotPoint& point : points) {
		const double px = x(point.x), py = y(point.y);
		if (point.error > 0) {
			const double below = y_axis.logarithmic ? std::max(point.y - point.error, point.y / 10) : point.y - point.error;
			const double low = std::min(y(below), kHeight - kBottom), high = std::max(y(point.y + point.error), kTop);
			svg += fmt::format("<line class=\"error\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>", px, low, high);
		}
		svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}: {:g}, {:g}</title></circle>", point.emphasized ? "best" : "point", px, py,
		                   point.emphasized ? 6 : 4.5, escapeHtml(point.label), point.x, point.y);
		svg += labels.place(px, py, point.label, point.emphasized ? "strong" : "");
	}
	return svg + "</svg>\n";
}

std::string curvesSvg(const PlotAxis& x_axis, const PlotAxis& y_axis, const std::vector<PlotCurve>& curves, std::string_view description) {
	std::vector<std::pair<double, double>> all;
	for (const PlotCurve& curve : curves) all.insert(all.end(), curve.points.begin(), curve.points.end());
	const auto [x_low, x_high] = rangeOf(all, [](const auto& point) { return point.first; });
	const auto [y_low, y_high] = rangeOf(all, [](const auto& point) { return point.second; });
	size_t longest = 0;
	for (const PlotCurve& curve : curves) longest = std::max(longest, curve.label.size());
	const double room = std::clamp(kLetter * double(longest) + 18, kEndLabels, kWidth * 0.45);   // for the labels at the ends
	const Scale x(x_low, x_high, x_axis.logarithmic, kLeft, kWidth - room), y(y_low, y_high, y_axis.logarithmic, kHeight - kBottom, kTop);
	std::string svg = open(kWidth, kHeight, description) + axes(x_axis, y_axis, x, y, room);
	struct End {
		size_t curve;
		double x, y, label;
	};
	std::vector<End> ends;
	for (size_t i = 0; i < curves.size(); ++i) {
		const auto& points = curves[i].points;
		if (points.empty()) continue;
		svg += fmt::format("<polyline class=\"curve series{}{}\" points=\"", i % kSeries, i >= kSeries ? " dashed" : "");
		for (const auto& [px, py] : points) svg += fmt::format("{:.1f},{:.1f} ", x(px), y(py));
		svg += "\"/>\n";
		ends.push_back({i, x(points.back().first), y(points.back().second), y(points.back().second)});
	}
	// Labels keep the order of the ends, a line apart, and stay on the plot.
	std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) { return a.y < b.y; });
	for (size_t i = 1; i < ends.size(); ++i) ends[i].label = std::max(ends[i].label, ends[i - 1].label + kLine);
	double lowest = kHeight - kBottom + 4;
	for (size_t i = ends.size(); i-- > 0; lowest = ends[i].label - kLine) ends[i].label = std::min(ends[i].label, lowest);
	for (const End& end : ends) {
		svg += fmt::format("<line class=\"leader\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", end.x + 1, end.y, end.x + 9, end.label);
		svg += fmt::format("<text class=\"label text{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", end.curve % kSeries, end.x + 11, end.label + 4, escapeHtml(curves[end.curve].label));
	}
	return svg + "</svg>\n";
}

std::string heatSvg(const std::vector<std::string>& rows, const std::vector<std::string>& columns, const std::vector<std::vector<double>>& cells, double smallest, double largest,
                    std::string_view description) {
	size_t longest = 0;
	for (const std::string& row : rows) longest = std::max(longest, row.size());
	const double left = kLetter * double(longest) + 8, cell = (kWidth - left) / double(std::max<size_t>(1, columns.size())), height = 19;
	std::string svg = open(kWidth, height * double(rows.size()) + 20, description);
	for (size_t row = 0; row < rows.size(); ++row) {
		const double top = height * double(row);
		svg += fmt::format("<text class=\"label\" x=\"{:g}\" y=\"{:g}\" text-anchor=\"end\">{}</text>\n", left - 5, top + 14, escapeHtml(rows[row]));
		for (size_t column = 0; column < columns.size(); ++column) {
			const double value = cells[row][column];
			if (!(value >= 0)) continue;
			const bool ordered = smallest > 0 && largest > smallest * 1.001 && std::isfinite(value);
			const double share = ordered ? std::clamp(std::log(std::max(value, smallest) / smallest) / std::log(largest / smallest), 0.0, 1.0) : value > 0 ? 1.0 : 0.0;
			svg += fmt::format("<rect class=\"cell\" x=\"{:.1f}\" y=\"{:g}\" width=\"{:.1f}\" height=\"{:g}\" fill-opacity=\"{:.3f}\"><title>{}, layer {}: {:.2f} %</title></rect>",
			                   left + cell * double(column), top + 1, cell - 1, height - 2, 0.06 + 0.94 * share, escapeHtml(rows[row]), escapeHtml(columns[column]), 100 * value);
			if (cell >= kLetter * 4)
				svg += fmt::format("<text class=\"value{}\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n", share > 0.55 ? " onheat" : "", left + cell * (double(column) + 0.5), top + 13.5,
				                   tickText(value < 0.01 ? std::round(value * 1e4) / 100 : std::round(value * 1e3) / 10));
		}
	}
	const size_t every = std::max<size_t>(1, size_t(std::ceil(22 / cell)));
	for (size_t column = 0; column < columns.size(); column += every)
		svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:g}\" text-anchor=\"middle\">{}</text>\n", left + cell * (double(column) + 0.5), height * double(rows.size()) + 14,
		                   escapeHtml(columns[column]));
	return svg + "</svg>\n";
}

}  // namespace vkq
