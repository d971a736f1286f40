#include "quantize/recipe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace vkq {

namespace {

/// Numbers of one line: a pattern may have no more than 512 characters.
constexpr size_t kMostLayers = 64;

/// A name's place in the model: what comes before and after the layer's number, and that.
struct Place {
	std::string before, after;   // of a tensor of no layer the whole name is `before`
	std::optional<uint32_t> layer;
};

Place placeOf(const std::string& name) {
	constexpr std::string_view kLayers = "blk.";
	if (!name.starts_with(kLayers)) return {name, {}, {}};
	uint32_t layer = 0;
	const char *first = name.data() + kLayers.size(), *last = name.data() + name.size();
	const auto [end, error] = std::from_chars(first, last, layer);
	if (error != std::errc() || end == last || *end != '.' || (end - first > 1 && *first == '0')) return {name, {}, {}};
	return {std::string(kLayers), std::string(end, last), layer};
}

std::string literal(std::string_view text) {
	std::string pattern;
	for (const char c : text) {
		const auto byte = static_cast<unsigned char>(c);
		if (std::isupper(byte) || std::isspace(byte) || byte < 0x20 || byte > 0x7e || c == '#' || c == '=') pattern += '.';
		else {
			if (std::string_view(".[]{}()*+?^$|\\/").find(c) != std::string_view::npos) pattern += '\\';
			pattern += c;
		}
	}
	return pattern;
}

/// Tensors of one kind: the same name in every layer.
struct Kind {
	Place place;
	std::vector<std::pair<TensorType, std::vector<uint32_t>>> layers;   // by type, in order of appearance
};

void appendLines(const Kind& kind, std::vector<MixtureOptions::Override>& lines) {
	const std::string before = literal(kind.place.before), after = literal(kind.place.after);
	for (const auto& [type, layers] : kind.layers) {
		if (!kind.place.layer) lines.push_back({fmt::format("^{}$", before), type});
		else if (kind.layers.size() == 1) lines.push_back({fmt::format("^{}[0-9]+{}$", before, after), type});
		else
			for (size_t first = 0; first < layers.size(); first += kMostLayers) {
				const std::span<const uint32_t> part = std::span(layers).subspan(first, std::min(kMostLayers, layers.size() - first));
				lines.push_back({fmt::format("^{}({}){}$", before, fmt::join(part, "|"), after), type});
			}
	}
}

}  // namespace

std::vector<MixtureOptions::Override> recipeLines(std::span<const RecipeEntry> entries) {
	std::vector<Kind> kinds;
	std::map<std::string, size_t> known;
	for (const RecipeEntry& entry : entries) {
		const Place place = placeOf(entry.name);
		const auto [found, is_new] = known.emplace(place.before + (place.layer ? "#" : "") + place.after, kinds.size());
		if (is_new) kinds.push_back({place, {}});
		auto& layers = kinds[found->second].layers;
		auto same = std::find_if(layers.begin(), layers.end(), [&](const auto& group) { return group.first == entry.type; });
		if (same == layers.end()) same = layers.insert(layers.end(), {entry.type, {}});
		same->second.push_back(place.layer.value_or(0));
	}
	std::vector<MixtureOptions::Override> lines;
	for (const Kind& kind : kinds) appendLines(kind, lines);
	return lines;
}

std::string recipeText(std::span<const MixtureOptions::Override> lines) {
	std::string text;
	for (const MixtureOptions::Override& line : lines) {
		std::string type(typeName(line.type));
		std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return char(std::tolower(c)); });
		text += fmt::format("{}={}\n", line.pattern, type);
	}
	return text;
}

}  // namespace vkq
