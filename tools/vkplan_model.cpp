#include "tools/vkplan_model.h"

#include "arch/known_shapes.h"
#include "ggufio/huggingface_config.h"
#include "ggufio/model_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace vkq::tools {

namespace {

Result<PlannedModel> fromShape(const ModelArguments& arguments) {
	ModelShape shape;
	if (!arguments.params.empty()) {
		auto known = shapeForSize(arguments.params);
		if (!known) return known.error();
		shape = std::move(*known);
	}
	if (!arguments.shape.empty()) {
		auto changed = overrideShape(std::move(shape), arguments.shape);
		if (!changed) return changed.error();
		shape = std::move(*changed);
	}
	auto h = hyperparameters(shape);
	if (!h) return fail(ErrorCode::kUsage, h.error().message, "see --shape in vkplan --help; --params gives a whole known shape to start from");
	PlannedModel model;
	model.name = shape.name;
	model.hyperparameters = *h;
	model.tensors = expectedTensors(*h);
	model.parameters = parameterCount(*h);
	return model;
}

std::optional<std::string> quantizedAs(const ModelSource& source, const std::vector<TensorInfo>& tensors) {
	if (std::none_of(tensors.begin(), tensors.end(), [](const TensorInfo& t) { return typeInfo(t.type).quantized; })) return std::nullopt;
	const auto file_type = source.metadata().unsignedInt("general.file_type");
	const std::string_view name = file_type && *file_type < 1024 ? fileTypeName(FileType(*file_type)) : std::string_view{};
	return name.empty() ? "as it is" : std::string(name);
}

/// The config.json that stands for the model when there are no weights beside it; empty when `path` is something else.
std::filesystem::path loneConfig(const std::filesystem::path& path) {
	std::error_code ignored;
	if (path.extension() == ".json" && !path.filename().string().ends_with(".index.json")) return path;
	if (!std::filesystem::exists(path / "config.json", ignored)) return {};
	for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) if (entry.path().extension() == ".safetensors") return {};
	return path / "config.json";
}

Result<PlannedModel> fromConfig(const std::filesystem::path& path) {
	auto json = readJson(path);
	if (!json) return json.error();
	std::vector<std::string> warnings;
	const auto config = readHuggingFaceConfig(std::move(*json), path.string(), warnings);
	if (!config) return config.error();
	Metadata metadata;
	metadata.set("general.architecture", config->arch);
	appendModelMetadata(*config, uint32_t(FileType::F16), metadata);
	metadata.set(config->arch + ".vocab_size", uint32_t(config->n_vocab));
	auto h = readHyperparameters(metadata, {}, path.string());
	if (!h) return h.error();
	h->tied_embeddings = config->tied_embeddings.value_or(config->gemma());
	PlannedModel model;
	model.name = path.string();
	model.hyperparameters = *h;
	model.tensors = expectedTensors(*h);
	for (const TensorInfo& tensor : model.tensors) model.parameters += tensor.elements();
	return model;
}

Result<PlannedModel> fromFile(const std::string& path) {
	if (const auto config = loneConfig(path); !config.empty()) return fromConfig(config);
	auto source = openModelSource(path);
	if (!source) return source.error();
	PlannedModel model;
	model.name = (*source)->name();
	model.tensors.assign((*source)->tensors().begin(), (*source)->tensors().end());
	auto h = readHyperparameters((*source)->metadata(), model.tensors, model.name);
	if (!h) return h.error();
	if (auto checked = checkTensors(*h, model.tensors, model.name); !checked) return checked.error();
	model.hyperparameters = *h;
	model.quantized_as = quantizedAs(**source, model.tensors);
	for (const TensorInfo& tensor : model.tensors) model.parameters += tensor.elements();
	return model;
}

}  // namespace

Result<PlannedModel> findModel(const ModelArguments& arguments) {
	if (!arguments.path.empty()) {
		if (!arguments.params.empty() || !arguments.shape.empty()) {
			return fail(ErrorCode::kUsage, "a model file has its own shape: --params and --shape are for planning without one");
		}
		return fromFile(arguments.path);
	}
	if (arguments.params.empty() && arguments.shape.empty()) {
		return fail(ErrorCode::kUsage, "there is nothing to plan", "give a model file, or a size: vkplan --params 7 --vram 8");
	}
	return fromShape(arguments);
}

}  // namespace vkq::tools
