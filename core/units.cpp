#include "core/units.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace vkq {

std::string formatBytes(uint64_t bytes) {
	struct Unit { uint64_t bytes; const char* name; };
	for (const Unit unit : {Unit{kTiB, "TiB"}, Unit{kGiB, "GiB"}, Unit{kMiB, "MiB"}, Unit{kKiB, "KiB"}})
		if (bytes >= unit.bytes) return fmt::format("{:.2f} {}", double(bytes) / double(unit.bytes), unit.name);
	return fmt::format("{} B", bytes);
}

std::string formatCount(uint64_t count) {
	if (count >= 999'950'000) return fmt::format("{:.2f} G", double(count) * 1e-9);
	if (count >= 999'950) return fmt::format("{:.1f} M", double(count) * 1e-6);
	if (count >= 10'000) return fmt::format("{:.1f} k", double(count) * 1e-3);
	return formatExact(count);
}

std::string formatExact(uint64_t count) {
	std::string digits = std::to_string(count);
	for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3) digits.insert(size_t(at), 1, ',');
	return digits;
}

std::string formatSeconds(double seconds) {
	if (!(seconds >= 0)) return "?";
	if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
	if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
	const double capped = std::min(seconds, 3.6e9);
	const uint64_t whole = uint64_t(std::llround(capped));
	if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
	return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

Result<uint64_t> parseBytes(std::string_view text, uint64_t bare_unit) {
	const auto wrong = [&] {
		return fail(ErrorCode::kUsage, fmt::format("{} is not a size", quote(text)), "write for example 8GiB, 7500MB or 512 MiB");
	};
	double number = 0;
	const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
	if (status != std::errc() || !std::isfinite(number) || number < 0) return wrong();
	std::string unit;
	for (const char* c = end; c != text.data() + text.size(); ++c)
		if (!(unit.empty() && *c == ' ')) unit += char(std::tolower(static_cast<unsigned char>(*c)));

	double factor = 0;
	if (unit.empty()) factor = double(bare_unit);
	else if (unit == "b") factor = 1;
	else {
		const size_t power = std::string_view("kmgt").find(unit.front()) + 1;   // npos + 1 == 0
		const std::string_view suffix = std::string_view(unit).substr(1);
		if (power == 0) return wrong();
		if (suffix.empty() || suffix == "b") factor = std::pow(1000.0, double(power));
		else if (suffix == "ib") factor = std::pow(1024.0, double(power));
		else return wrong();
	}
	const double bytes = std::round(number * factor);
	if (bytes >= 0x1p63) return fail(ErrorCode::kUsage, fmt::format("{} is larger than any file or memory", quote(text)));
	return uint64_t(bytes);
}

}  // namespace vkq
