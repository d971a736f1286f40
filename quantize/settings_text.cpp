#include "quantize/settings_text.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>

namespace vkq {

namespace {

template <class Number>
std::optional<Number> wholeNumber(std::string_view text) {
	Number value{};
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
	return value;
}

std::string supportedTypes() {
	std::string names;
	for (const TypeInfo& info : allTypes())
		if (info.has_codec) names += (names.empty() ? "" : ", ") + std::string(info.name);
	return names;
}

}  // namespace

Result<MixtureOptions::Override> parseTensorType(std::string_view text) {
	const size_t equals = text.rfind('=');
	if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
		return fail(ErrorCode::kUsage, fmt::format("tensor type {} is not REGEX=TYPE", quote(text)), "for example: attn_v=q6_k");
	const auto type = typeFromName(text.substr(equals + 1));
	if (!type || !typeInfo(*type).has_codec)
		return fail(ErrorCode::kUsage, fmt::format("tensor type {}: {} is no type that can be written", quote(text), quote(text.substr(equals + 1))), "types: " + supportedTypes());
	std::string pattern(text.substr(0, equals));
	std::transform(pattern.begin(), pattern.end(), pattern.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	return MixtureOptions::Override{std::move(pattern), *type};
}

Result<std::vector<MixtureOptions::Override>> readTensorTypeFile(const std::filesystem::path& path) {
	std::ifstream in(path);
	if (!in) return fail(ErrorCode::kNotFound, fmt::format("cannot read the tensor type file {}", quote(path.string())));
	std::vector<MixtureOptions::Override> overrides;
	std::string line;
	for (size_t number = 1; std::getline(in, line); ++number) {
		line.resize(std::min(line.find('#'), line.size()));
		for (size_t at = 0; (at = line.find_first_not_of(" \t\r", at)) != std::string::npos;) {
			const size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
			auto entry = parseTensorType(std::string_view(line).substr(at, end - at));
			if (!entry) return fail(ErrorCode::kUsage, fmt::format("{} line {}: {}", quote(path.string()), number, entry.error().message), entry.error().hint);
			overrides.push_back(std::move(entry).value());
			at = end;
		}
	}
	return overrides;
}

Result<MetaEntry> parseOverrideKv(std::string_view text) {
	const auto bad = [&](std::string_view why) {
		return fail(ErrorCode::kUsage, fmt::format("override {}: {}", quote(text), why), "KEY=TYPE:VALUE with TYPE int, float, bool or str; for example: general.name=str:Orator");
	};
	const size_t equals = text.find('=');
	const size_t colon = equals == std::string_view::npos ? equals : text.find(':', equals);
	if (equals == std::string_view::npos || colon == std::string_view::npos || equals == 0) return bad("it is not KEY=TYPE:VALUE");
	const std::string_view key = text.substr(0, equals), type = text.substr(equals + 1, colon - equals - 1), value = text.substr(colon + 1);
	if (key.size() > 127) return bad("the key is longer than 127 bytes");
	MetaEntry entry{std::string(key), {}};
	if (type == "int") {
		const auto number = wholeNumber<int64_t>(value);
		if (!number || std::abs(*number) > int64_t(UINT32_MAX)) return bad("the value is no integer of 32 bits");
		entry.value = uint32_t(std::abs(*number));
	} else if (type == "float") {
		const auto number = wholeNumber<double>(value);
		if (!number || !std::isfinite(*number)) return bad("the value is no number");
		entry.value = float(*number);
	} else if (type == "bool") {
		if (value != "true" && value != "false") return bad("the value is neither true nor false");
		entry.value = value == "true";
	} else if (type == "str") {
		if (value.size() > 127) return bad("the text is longer than 127 bytes");
		entry.value = std::string(value);
	} else {
		return bad("its type is none of int, float, bool, str");
	}
	return entry;
}

Result<std::vector<uint32_t>> parseLayers(std::string_view text) {
	std::vector<uint32_t> layers;
	for (size_t at = 0; at <= text.size();) {
		const size_t comma = std::min(text.find(',', at), text.size());
		const auto layer = wholeNumber<uint32_t>(text.substr(at, comma - at));
		if (!layer) return fail(ErrorCode::kUsage, fmt::format("layers {} is no list of numbers", quote(text)), "for example: --prune-layers 3,4,5");
		layers.push_back(*layer);
		at = comma + 1;
	}
	std::sort(layers.begin(), layers.end());
	layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
	return layers;
}

}  // namespace vkq
