#include "arch/model.h"

#include <array>

namespace vkq {

namespace {

constexpr std::array<std::pair<Architecture, std::string_view>, 7> kNames{{
	{Architecture::Llama, "llama"},
	{Architecture::Qwen2, "qwen2"},
	{Architecture::Qwen3, "qwen3"},
	{Architecture::Qwen3Moe, "qwen3moe"},
	{Architecture::Gemma2, "gemma2"},
	{Architecture::Gemma3, "gemma3"},
	{Architecture::Phi3, "phi3"},
}};

}  // namespace

std::string_view archName(Architecture arch) {
	for (const auto& [value, name] : kNames) if (value == arch) return name;
	return {};
}

std::optional<Architecture> archFromName(std::string_view name) {
	for (const auto& [value, known] : kNames) if (known == name) return value;
	return std::nullopt;
}

std::string supportedArchNames() {
	std::string names;
	for (const auto& [value, name] : kNames) {
		if (!names.empty()) names += ", ";
		names += name;
	}
	return names;
}

}  // namespace vkq
