#include "vk/env.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace vkq::vk {

namespace {

std::string_view variable(const char* name) {
	const char* value = std::getenv(name);
	return value ? value : "";
}

bool flag(const char* name) {
	const std::string_view value = variable(name);
	return !value.empty() && value != "0";
}

std::optional<uint64_t> number(std::string_view text) {
	uint64_t value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
	return value;
}

std::optional<std::string> cacheDir() {
	if (std::getenv("VKQ_CACHE_DIR")) {
		const std::string_view dir = variable("VKQ_CACHE_DIR");
		return dir.empty() ? std::nullopt : std::optional<std::string>(dir);
	}
	if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return std::string(xdg) + "/vkquant";
	if (const auto home = variable("HOME"); !home.empty()) return std::string(home) + "/.cache/vkquant";
	return std::nullopt;
}

Environment read() {
	Environment env;
	env.device = variable("VKQ_DEVICE");
	env.validation = flag("VKQ_VALIDATION");
	env.validation_fatal = variable("VKQ_VALIDATION") == "fatal";
	env.cache_dir = cacheDir();
	env.heap_limit = number(variable("VKQ_HEAP_LIMIT"));
	env.no_import = flag("VKQ_NO_IMPORT");
	env.discrete = flag("VKQ_DISCRETE");
	env.variant = variable("VKQ_VARIANT");
	const std::string_view fault = variable("VKQ_FAULT");
	const size_t at = fault.find('@');
	if (at != std::string_view::npos) {
		env.fault_at = number(fault.substr(at + 1)).value_or(0);
		if (fault.substr(0, at) == "device_lost") env.fault = Fault::DeviceLost;
		if (fault.substr(0, at) == "out_of_memory") env.fault = Fault::OutOfMemory;
	}
	return env;
}

}  // namespace

const Environment& environment() {
	static const Environment env = read();
	return env;
}

}  // namespace vkq::vk
