#include "arch/model.h"

#include <fmt/format.h>

#include <limits>

namespace vkq {

namespace {

/// A count that may be given per layer: layer 0 speaks.
uint32_t countOfLayer0(const Metadata& metadata, const std::string& key, uint32_t fallback) {
	std::optional<uint64_t> value = metadata.unsignedInt(key);
	if (const MetaArray* list = metadata.array(key); !value && list) {
		if (const auto* u32 = std::get_if<std::vector<uint32_t>>(list); u32 && !u32->empty()) value = u32->front();
		if (const auto* i32 = std::get_if<std::vector<int32_t>>(list); i32 && !i32->empty() && i32->front() >= 0) value = uint64_t(i32->front());
	}
	return value && *value <= std::numeric_limits<uint32_t>::max() ? uint32_t(*value) : fallback;
}

}  // namespace

MixtureModel mixtureModel(const Hyperparameters& h) {
	return {.arch = std::string(archName(h.arch)), .layers = h.n_layer, .heads = h.n_head, .kv_heads = h.n_head_kv, .experts = h.n_expert};
}

MixtureModel mixtureModel(const Metadata& metadata) {
	MixtureModel model;
	model.arch = metadata.string("general.architecture").value_or("");
	const auto key = [&](std::string_view name) { return fmt::format("{}.{}", model.arch, name); };
	model.layers = countOfLayer0(metadata, key("block_count"), 0);
	model.heads = countOfLayer0(metadata, key("attention.head_count"), 0);
	model.kv_heads = countOfLayer0(metadata, key("attention.head_count_kv"), model.heads);
	model.experts = countOfLayer0(metadata, key("expert_count"), 0);
	return model;
}

}  // namespace vkq
