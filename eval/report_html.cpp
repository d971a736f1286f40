#include "eval/report_html.h"

#include "core/units.h"
#include "eval/plot_svg.h"
#include "eval/type_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace vkq {

namespace {

constexpr double kSmallestKld = 1e-6;   // what is drawn of "none" on a logarithmic axis

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #fff; --ink: #1f2328; --soft: #626a73; --grid: #e4e2dd; --accent: #0f766e; --mark: #fde9b8; --heat: #b4431f;
  --onheat: #fff; --series-0: #2563ab; --series-1: #c2571a; --series-2: #2f855a; --series-3: #8b3fa8; --series-4: #93740a; --series-5: #be3455; --series-6: #4b5563; --series-7: #0e7c8b; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --card: #1d2126; --ink: #e6e4df; --soft: #9aa3ad; --grid: #343a41; --accent: #4fd1c0; --mark: #5c4a16; --heat: #f08a5d;
  --onheat: #1d2126; --series-0: #7ab1f0; --series-1: #f0a060; --series-2: #73c99a; --series-3: #cf97e6; --series-4: #e0c250; --series-5: #f08aa2; --series-6: #b6bfc9; --series-7: #5fd0de; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; } h3 { font-size: .95rem; font-weight: 650; margin: .6rem 0 .25rem; }
.maps { display: flex; flex-wrap: wrap; gap: 0 2rem; } .maps figure { max-width: 100%; } .maps .row { flex-basis: 100%; }
p { margin: .25rem 0; } .soft, figcaption { color: var(--soft); font-size: .9rem; }
.card { background: var(--card); border: 1px solid var(--grid); border-radius: .6rem; padding: 1rem; margin: 1rem 0 0; }
.plots > .card { margin: 0; }
.verdict { border-left: .35rem solid var(--accent); font-size: 1.05rem; }
.plots { margin-top: 1rem; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; } svg { width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }
.types td[style] { text-align: center; background: color-mix(in srgb, var(--accent) calc(var(--bits) * .6), var(--card)); } .types { width: auto; font-size: .78rem; } .types th, .types td { padding: .22rem .28rem; } .types th + th { text-align: center; }
td { white-space: nowrap; } th, td { padding: .4rem .45rem; text-align: right; vertical-align: bottom; border-bottom: 1px solid var(--grid); } th { color: var(--soft); font-weight: 600; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--card); }
tr.best td { font-weight: 650; } tr.best td:first-child { box-shadow: inset .25rem 0 var(--accent); }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 1rem; } .answers p { white-space: pre-line; overflow-wrap: anywhere; }
mark { background: var(--mark); color: inherit; border-left: .15rem solid var(--accent); padding-left: .1rem; }
svg text { fill: var(--ink); font: 11.5px system-ui, sans-serif; } svg .tick { fill: var(--soft); font-size: 11px; } svg .title { fill: var(--soft); font-size: 12px; } svg .strong { font-weight: 700; }
svg .label { paint-order: stroke; stroke: var(--card); stroke-width: 3px; stroke-linejoin: round; }
svg .value { font-size: 10.5px; fill: var(--ink); } svg .onheat { fill: var(--onheat); } .leader { stroke: var(--soft); stroke-width: .8; } .dashed { stroke-dasharray: 6 3; }
.limit { stroke: var(--series-5); stroke-dasharray: 2 3; stroke-width: 1.4; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .75rem 1.25rem; margin: .25rem 0 .9rem; } .tiles div { min-width: 0; }
.tiles b { display: block; font-size: 1.45rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; } .tiles .name b { color: var(--accent); }
.grid { stroke: var(--grid); } .frontier { fill: none; stroke: var(--accent); stroke-width: 1.6; stroke-dasharray: 5 4; } .error { stroke: var(--soft); }
.point { fill: var(--series-0); } .best { fill: var(--accent); } .cell { fill: var(--heat); } .curve { fill: none; stroke-width: 2; }
.series0 { stroke: var(--series-0); } .series1 { stroke: var(--series-1); } .series2 { stroke: var(--series-2); } .series3 { stroke: var(--series-3); } .series4 { stroke: var(--series-4); }
.series5 { stroke: var(--series-5); } svg .text0 { fill: var(--series-0); } svg .text1 { fill: var(--series-1); } svg .text2 { fill: var(--series-2); } svg .text3 { fill: var(--series-3); }
svg .text4 { fill: var(--series-4); } svg .text5 { fill: var(--series-5); }
.series6 { stroke: var(--series-6); } .series7 { stroke: var(--series-7); } svg .text6 { fill: var(--series-6); } svg .text7 { fill: var(--series-7); }
)css";

double mebibytes(uint64_t bytes) { return double(bytes) / double(kMiB); }

std::string row(const ComparedLevel& level, bool original, bool best) {
	const auto cell = [](const std::string& text) { return "<td>" + text + "</td>"; };
	std::string html = fmt::format("<tr{}>", best ? " class=\"best\"" : "");
	html += cell(escapeHtml(level.name)) + cell(formatBytes(level.file_bytes)) + cell(fmt::format("{:.2f}", level.bits_per_weight));
	if (level.divergence) {
		const Divergence& d = *level.divergence;
		html += cell(fmt::format("{:.3f}", d.perplexity.mean));
		if (original) html += cell("") + cell("") + cell("");
		else html += cell(fmt::format("{:+.2f} % ± {:.2f}", 100 * (d.ratio.mean - 1), 100 * d.ratio.error)) + cell(fmt::format("{:.5f}", d.kld.mean)) + cell(fmt::format("{:.1f} %", 100 * d.same_top.mean));
		html += cell(fmt::format("{:.0f}", level.prompt_rate)) + cell(fmt::format("{:.1f}", level.generation_rate));
	} else {
		for (int i = 0; i < 6; ++i) html += cell("–");
	}
	html += cell(level.planned_bytes ? formatBytes(level.planned_bytes) : "–") + cell(level.fits ? "yes" : "no");
	return html + "</tr>\n";
}

std::string table(const Comparison& comparison) {
	std::string html = "<div class=\"wide\"><table><thead><tr><th>level</th><th>size</th><th>bits/weight</th><th>perplexity</th><th>change</th><th>KL divergence</th><th>same top token</th>"
	                   "<th>prompt tokens/s</th><th>generation tokens/s</th><th>memory</th><th>fits</th></tr></thead><tbody>\n";
	html += row(comparison.original, true, false);
	for (const ComparedLevel& level : comparison.levels) html += row(level, false, &level == comparison.recommended());
	return html + "</tbody></table></div>\n";
}

std::string figure(std::string_view title, std::string_view svg, std::string_view caption) {
	return fmt::format("<figure class=\"card\"><h2>{}</h2>\n{}<figcaption>{}</figcaption></figure>\n", title, svg, caption);
}

std::string sizeTitle(const Comparison& comparison) { return comparison.cachesOnly() ? fmt::format("memory at {} tokens, MiB", comparison.plan_context) : "file size, MiB"; }

std::string qualityPlot(const Comparison& comparison) {
	std::vector<PlotPoint> points;
	std::vector<size_t> frontier;
	for (const ComparedLevel& level : comparison.levels) {
		if (!level.divergence) continue;
		if (level.on_frontier) frontier.push_back(points.size());
		const MeanError& kld = level.divergence->kld;
		points.push_back({mebibytes(comparison.sizeOf(level)), std::max(kld.mean, kSmallestKld), kld.error, level.name, &level == comparison.recommended()});
	}
	if (points.empty()) return {};
	std::sort(frontier.begin(), frontier.end(), [&](size_t a, size_t b) { return points[a].x < points[b].x; });
	return figure("Quality against size", scatterSvg({sizeTitle(comparison)}, {"mean KL divergence", true}, points, frontier, "Divergence of each level against its size"),
	              "Lower and further left is better. The dashed line is the frontier of the file types: none is both smaller and closer to the original. A level whose types were chosen for this model stands by itself.");
}

/// What the recommendation goes by: the change of perplexity and its limit.
std::string changePlot(const Comparison& comparison) {
	std::vector<PlotPoint> points;
	for (const ComparedLevel& level : comparison.levels)
		if (level.divergence)
			points.push_back({mebibytes(comparison.sizeOf(level)), 100 * (level.divergence->ratio.mean - 1), 100 * level.divergence->ratio.error, level.name, &level == comparison.recommended()});
	if (points.empty()) return {};
	const PlotAxis change{.title = "change of perplexity, %", .limit = 100 * kAcceptableRise, .limit_label = fmt::format("+{:.0f} %", 100 * kAcceptableRise)};
	return figure("Perplexity against size", scatterSvg({sizeTitle(comparison)}, change, points, {}, "Change of perplexity of each level against its size"),
	              "Bars are standard errors. The recommendation is the smallest level whose bar reaches below the dotted line.");
}

/// The recommended level in a few large figures.
std::string tiles(const Comparison& comparison) {
	const ComparedLevel* best = comparison.recommended();
	if (!best) return {};
	const auto tile = [](std::string_view value, std::string_view what, std::string_view style = "") {
		return fmt::format("<div class=\"{}\"><b>{}</b><span class=\"soft\">{}</span></div>", style, value, what);
	};
	const Divergence& d = *best->divergence;
	return "<div class=\"tiles\">" + tile(escapeHtml(best->name), "recommended", "name") +
	       tile(fmt::format("{:.0f} %", 100.0 * double(comparison.sizeOf(*best)) / double(std::max<uint64_t>(1, comparison.sizeOf(comparison.original)))), comparison.cachesOnly() ? "of its memory" : "of the original's size") +
	       tile(fmt::format("{:+.2f} %", 100 * (d.ratio.mean - 1)), fmt::format("perplexity, ± {:.2f}", 100 * d.ratio.error)) +
	       tile(fmt::format("{:.1f} %", 100 * d.same_top.mean), "same most likely token") + tile(formatBytes(best->planned_bytes), "planned memory") + "</div>\n";
}

std::string speedPlot(const Comparison& comparison) {
	std::vector<PlotPoint> points;
	const auto add = [&](const ComparedLevel& level) {
		if (level.generation_rate > 0) points.push_back({mebibytes(comparison.sizeOf(level)), level.generation_rate, 0, level.name, &level == comparison.recommended()});
	};
	add(comparison.original);
	for (const ComparedLevel& level : comparison.levels) add(level);
	if (points.empty()) return {};
	return figure("Speed against size", scatterSvg({sizeTitle(comparison)}, {"generation, tokens/s"}, points, {}, "Tokens per second of each level against its size"),
	              "Higher is better: tokens a second, one at a time, on this device.");
}

std::string divergencePlot(const Comparison& comparison) {
	constexpr int kSteps = 60;
	std::vector<PlotCurve> curves;
	for (const ComparedLevel& level : comparison.levels) {
		if (!level.divergence || level.divergence->klds.empty()) continue;
		PlotCurve curve{level.name, {}};
		for (int i = 0; i <= kSteps; ++i) {
			const double share = double(i) / kSteps;
			curve.points.emplace_back(100 * share, std::max(percentile(level.divergence->klds, share), kSmallestKld));
		}
		curves.push_back(std::move(curve));
	}
	if (curves.empty()) return {};
	return figure("How often, how far", curvesSvg({"share of positions, %"}, {"KL divergence, at most", true}, curves, "Distribution of the divergence over positions"),
	              "For each share of the text's positions, the divergence that they do not exceed.");
}

std::string typeMaps(const Comparison& comparison) {
	std::string html;
	for (const ComparedLevel& level : comparison.levels) html += typeMapHtml(level);
	if (html.empty()) return {};
	return fmt::format("<section class=\"card\"><h2>Types by layer</h2><p class=\"soft\">Which type each tensor has; deeper colour is more bits.</p>\n<div class=\"maps\">\n{}</div></section>\n", html);
}

std::string errorMaps(const Comparison& comparison) {
	double smallest = INFINITY, largest = 0;
	for (const ComparedLevel& level : comparison.levels)
		for (const TensorError& error : level.errors.tensors)
			if (layerAndKind(error.name) && std::isfinite(error.harm()) && error.harm() > 0) {
				smallest = std::min(smallest, error.harm());
				largest = std::max(largest, error.harm());
			}
	std::string html;
	for (const ComparedLevel& level : comparison.levels) {
		std::set<std::string> kinds;
		uint32_t layers = 0;
		std::map<std::pair<std::string, uint32_t>, double> values;
		for (const TensorError& error : level.errors.tensors) {
			const auto place = layerAndKind(error.name);
			if (!place || error.distortion.maxError() == 0) continue;
			kinds.insert(place->second);
			layers = std::max(layers, place->first + 1);
			values[{place->second, place->first}] = error.harm();
		}
		if (kinds.empty()) continue;
		const std::vector<std::string> rows(kinds.begin(), kinds.end());
		std::vector<std::string> columns;
		for (uint32_t layer = 0; layer < layers; ++layer) columns.push_back(std::to_string(layer));
		std::vector<std::vector<double>> cells(rows.size(), std::vector<double>(layers, -1));
		for (size_t r = 0; r < rows.size(); ++r)
			for (uint32_t layer = 0; layer < layers; ++layer)
				if (const auto found = values.find({rows[r], layer}); found != values.end()) cells[r][layer] = found->second;
		html += fmt::format("<figure><h3>{}</h3>{}</figure>\n", escapeHtml(level.name), heatSvg(rows, columns, cells, smallest, largest, "Error of each tensor by layer: " + level.name));
	}
	if (html.empty()) return {};
	return fmt::format("<section class=\"card\"><h2>Error by layer</h2><p class=\"soft\">How far each tensor's weights are from the original's, in per cent of a typical weight; columns are layers. "
	                   "Shades are logarithmic, the strongest is {:.1f} %.</p><div class=\"plots\">\n{}</div></section>\n", 100 * largest, html);
}

std::string answers(const Comparison& comparison) {
	if (!comparison.original.answer) return {};
	std::string html = fmt::format("<section class=\"card\"><h2>Answers to “{}”</h2><p class=\"soft\">The most likely token each time. What differs from the original's answer is marked.</p>"
	                               "<div class=\"answers\">\n<div><strong>{}</strong> <span class=\"soft\">the original</span><p>{}</p></div>\n",
	                               escapeHtml(comparison.prompt), escapeHtml(comparison.original.name), escapeHtml(comparison.original.answer->text));
	for (const ComparedLevel& level : comparison.levels) {
		if (!level.answer) continue;
		const Answer& answer = *level.answer;
		const std::string_view text = answer.text;
		std::string shown = escapeHtml(text.substr(0, answer.common_bytes));
		if (answer.parts) shown += "<mark>" + escapeHtml(text.substr(answer.common_bytes)) + "</mark>";
		html += fmt::format("<div><strong>{}</strong> <span class=\"soft\">{}</span><p>{}</p></div>\n", escapeHtml(level.name),
		                    answer.parts ? fmt::format("parts at token {}", answer.common_tokens + 1) : "the same", shown);
	}
	return html + "</div></section>\n";
}

/// JSON inside a script element: "</script" in a string would end it.
std::string inertJson(std::string_view json) {
	std::string inert;
	for (const char c : json) {
		if (c == '<') inert += "\\u003c";
		else inert += c;
	}
	return inert;
}

}  // namespace

std::string reportHtml(const Comparison& c, std::string_view json, std::string_view version) {
	std::string html = fmt::format("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	                               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{} compared</title>\n<style>{}</style></head><body>\n",
	                               escapeHtml(c.model), kStyle);
	html += fmt::format("<header><h1>What quantization costs: {}</h1><p class=\"soft\">{} · {} chunks of {} tokens · {} · memory planned for {} tokens, of {} available</p></header>\n",
	                    escapeHtml(c.model), escapeHtml(c.text), c.chunks, c.context, escapeHtml(c.device), formatExact(c.plan_context), formatBytes(c.available));
	html += fmt::format("<section class=\"card verdict\"><h2>Recommendation</h2>{}<p>{}</p></section>\n", tiles(c), escapeHtml(c.recommendation()));
	html += "<section class=\"card\"><h2>Figures</h2>" + table(c) + "<p class=\"soft\">Perplexity: lower is better; its change is against the original on the same text, ± standard error. KL divergence: "
	        "how far predictions moved, 0 is not at all.</p></section>\n";
	html += "<div class=\"plots\">\n" + qualityPlot(c) + changePlot(c) + speedPlot(c) + divergencePlot(c) + "</div>\n";
	html += typeMaps(c) + errorMaps(c) + answers(c);
	html += fmt::format("<footer><p class=\"soft\">Made by vkeval {}. All figures are in this page as JSON (id “figures”).</p></footer>\n", escapeHtml(version));
	html += "<script type=\"application/json\" id=\"figures\">" + inertJson(json) + "</script>\n</body></html>\n";
	return html;
}

}  // namespace vkq
