#include "eval/type_map.h"

#include "eval/plot_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace vkq {

namespace {

constexpr double kDeepest = 8.5;   // bits a weight: Q8_0

double shade(TensorType type) { return std::min(1.0, typeInfo(type).bitsPerWeight() / kDeepest); }

}  // namespace

std::optional<std::pair<uint32_t, std::string>> layerAndKind(std::string_view name) {
	if (!name.starts_with("blk.")) return {};
	name.remove_prefix(4);
	uint32_t layer = 0;
	size_t digits = 0;
	for (; digits < name.size() && digits < 6 && name[digits] >= '0' && name[digits] <= '9'; ++digits) layer = layer * 10 + uint32_t(name[digits] - '0');
	if (digits == 0 || digits >= name.size() || name[digits] != '.') return {};
	name.remove_prefix(digits + 1);
	if (name.ends_with(".weight")) name.remove_suffix(7);
	return std::pair(layer, std::string(name));
}

std::string typeMapHtml(const ComparedLevel& level) {
	std::map<std::string, std::map<uint32_t, TensorType>> kinds;
	std::set<TensorType> all;   // of the layers
	std::string others;
	uint32_t layers = 0;
	for (const TensorError& tensor : level.errors.tensors) {
		if (tensor.type == TensorType::F32 && tensor.distortion.maxError() == 0) continue;   // norms and the like
		if (const auto place = layerAndKind(tensor.name)) {
			kinds[place->second][place->first] = tensor.type;
			all.insert(tensor.type);
			layers = std::max(layers, place->first + 1);
		} else {
			others += fmt::format("{}{} {}", others.empty() ? "" : ", ", escapeHtml(tensor.name), typeName(tensor.type));
		}
	}
	if (kinds.empty()) return {};
	const std::string heading = fmt::format("<h3>{}{}</h3>", escapeHtml(level.name), level.chosen ? ", chosen" : "");
	if (all.size() == 1) return fmt::format("<figure class=\"row\">{}<p class=\"soft\">{} in every layer{}{}</p></figure>\n", heading, typeName(*all.begin()), others.empty() ? "" : "; ", others);
	std::string html = fmt::format("<figure>{}<p class=\"soft\">{}</p><div class=\"wide\"><table class=\"types\"><thead><tr><th>layer</th>", heading, others);
	for (uint32_t layer = 0; layer < layers; ++layer) html += fmt::format("<th>{}</th>", layer);
	html += "</tr></thead><tbody>\n";
	for (const auto& [kind, types] : kinds) {
		html += fmt::format("<tr><td>{}</td>", escapeHtml(kind));
		for (uint32_t layer = 0; layer < layers; ++layer) {
			const auto found = types.find(layer);
			if (found == types.end()) html += "<td></td>";
			else html += fmt::format("<td style=\"--bits:{:.0f}%\">{}</td>", 100 * shade(found->second), typeName(found->second));
		}
		html += "</tr>\n";
	}
	return html + "</tbody></table></div></figure>\n";
}

}  // namespace vkq
