#include "quantize/plan.h"

#include "arch/model.h"
#include "core/text.h"
#include "quant/codec.h"
#include "quant/name_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace vkq {

namespace {

/// Tensors that stay after --prune-layers, with blk.N renumbered without gaps.
class LayerPruning {
public:
	explicit LayerPruning(const std::vector<uint32_t>& pruned) : pruned_(pruned) {}

	/// The new name, or nothing when the tensor's layer is pruned.
	std::optional<std::string> rename(const std::string& name) {
		if (pruned_.empty() || !name.starts_with("blk.")) return name;
		uint32_t layer = 0;
		const char* first = name.data() + 4;
		const auto [end, error] = std::from_chars(first, name.data() + name.size(), layer);
		if (error != std::errc() || end == name.data() + name.size() || *end != '.') return name;
		layers_ = std::max(layers_, layer + 1);
		if (std::binary_search(pruned_.begin(), pruned_.end(), layer)) return std::nullopt;
		const auto [found, is_new] = renumbered_.emplace(layer, uint32_t(renumbered_.size()));
		return "blk." + std::to_string(found->second) + std::string(end, name.data() + name.size());
	}
	uint32_t layersKept() const { return uint32_t(renumbered_.size()); }

	/// After the last rename(): a layer that is not there is a slip of the pen.
	Result<void> check(const ModelSource& source) const {
		if (pruned_.empty() || pruned_.back() < layers_) return {};
		return fail(ErrorCode::kUsage, fmt::format("{} has no layer {}: its layers are 0 to {}", source.name(), pruned_.back(), int64_t(layers_) - 1));
	}

private:
	const std::vector<uint32_t>& pruned_;
	std::map<uint32_t, uint32_t> renumbered_;
	uint32_t layers_ = 0;
};

/// What a copy says of itself: the source's word, or else the file type of which most of its bytes are.
uint32_t copiedFileType(const ModelSource& source) {
	if (const auto said = source.metadata().unsignedInt("general.file_type")) return uint32_t(*said);
	std::map<TensorType, uint64_t> bytes;
	for (const TensorInfo& tensor : source.tensors()) bytes[tensor.type] += tensor.bytes;
	const auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
	for (const FileTypeInfo& info : allFileTypes())
		if (most != bytes.end() && info.base == most->first) return uint32_t(info.file_type);
	return uint32_t(FileType::F16);
}

Metadata outputMetadata(const ModelSource& source, const QuantizeOptions& options, uint32_t layers_kept) {
	Metadata metadata = source.metadata();
	metadata.set("general.quantization_version", uint32_t(2));
	metadata.set("general.file_type", options.copy ? copiedFileType(source) : uint32_t(options.mixture.target.file_type));
	for (const char* key : {"split.no", "split.count", "split.tensors.count"}) metadata.remove(key);
	for (const MetaEntry& entry : options.override_kv.entries()) metadata.set(entry.key, entry.value);
	if (const Imatrix* imatrix = options.imatrix) {
		// The reference keeps override strings in 128 bytes, the last of them zero.
		metadata.set("quantize.imatrix.file", imatrix->file.substr(0, 127));
		if (!imatrix->datasets.empty()) metadata.set("quantize.imatrix.dataset", imatrix->datasets[0].substr(0, 127));
		metadata.set("quantize.imatrix.entries_count", uint32_t(imatrix->importance.size()));
		if (imatrix->chunks > 0) metadata.set("quantize.imatrix.chunks_count", imatrix->chunks);
	}
	if (options.search == Search::kBest && !options.copy) metadata.set(std::string(kSearchKey), std::string(searchName(options.search)));
	if (!options.prune_layers.empty())
		if (const auto arch = metadata.string("general.architecture")) metadata.set(std::string(*arch) + ".block_count", layers_kept);
	return metadata;
}

bool isFloat(TensorType type) { return type == TensorType::F32 || type == TensorType::F16 || type == TensorType::BF16; }

/// The output's tensors, in order, with the name each has there and its source.
struct Kept {
	size_t source;
	std::string name;
};

std::vector<Kept> keptTensors(const ModelSource& source, LayerPruning& pruning) {
	std::vector<Kept> kept;
	for (size_t i = 0; i < source.tensors().size(); ++i)
		if (auto name = pruning.rename(source.tensors()[i].name)) kept.push_back({i, std::move(*name)});
	return kept;
}

/// Types as the mixture wants them; every tensor as it is for COPY.
Result<std::vector<MixtureChoice>> targetTypes(const ModelSource& source, const std::vector<Kept>& kept, const QuantizeOptions& options) {
	std::vector<MixtureTensor> tensors;
	for (const Kept& each : kept) {
		const TensorInfo& info = source.tensors()[each.source];
		tensors.push_back({each.name, info.dimensions, info.ne, info.type, options.imatrix && options.imatrix->importance.contains(info.name)});
	}
	if (options.copy) {
		std::vector<MixtureChoice> choices;
		for (const MixtureTensor& tensor : tensors) choices.push_back({tensor.type, false});
		return choices;
	}
	MixtureOptions mixture = options.mixture;
	mixture.have_imatrix = options.imatrix != nullptr;
	return chooseTypes(mixtureModel(source.metadata()), tensors, mixture);
}

Result<void> checkConversion(const ModelSource& source, const TensorInfo& tensor, TensorType to, bool allow_requantize) {
	if (tensor.type == to) return {};
	if (typeInfo(tensor.type).quantized && !allow_requantize)
		return fail(ErrorCode::kUnsupported, fmt::format("{} is already quantized: tensor {} is {}", source.name(), quote(tensor.name), typeName(tensor.type)),
		            "start from the F16, BF16 or F32 model; or add --allow-requantize, which costs quality");
	if (!isFloat(tensor.type) && !typeInfo(tensor.type).has_codec)
		return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is {}, which cannot be decoded here", source.name(), quote(tensor.name), typeName(tensor.type)));
	return {};
}

/// The matrix is looked at as a whole before anything is encoded.
Result<ImatrixFindings> checkImportance(const ModelSource& source, const std::vector<Kept>& kept, const std::vector<MixtureChoice>& choices, const QuantizeOptions& options) {
	const Imatrix none{"(none)", {}, 0, {}};
	const FileType file_type = options.mixture.target.file_type;
	std::vector<ImatrixUse> uses;
	for (size_t i = 0; i < kept.size(); ++i) {
		const TensorInfo& from = source.tensors()[kept[i].source];
		const bool required = !options.copy && needsImportance(file_type, choices[i].type, kept[i].name);
		if (from.type == choices[i].type || !usesImportance(choices[i].type, options.search)) continue;
		if (options.imatrix || required) uses.push_back({from.name, from.ne[0], from.ne[2], required});
	}
	if (!options.imatrix && !uses.empty())
		return fail(ErrorCode::kUsage, fmt::format("{} is useless without an importance matrix", fileTypeName(file_type)), "make one with vkeval imatrix, and give it with --imatrix; or choose Q2_K");
	return checkImatrix(options.imatrix ? *options.imatrix : none, uses);
}

/// The tensor's importance, or null: there is none, it is of another size (checkImportance() let that pass), or the type has no use for it.
const std::vector<float>* importanceOf(const TensorInfo& tensor, const TensorJob& job, const QuantizeOptions& options) {
	if (!options.imatrix || job.copies() || !usesImportance(job.to, job.search)) return nullptr;
	const auto found = options.imatrix->importance.find(tensor.name);
	if (found == options.imatrix->importance.end() || found->second.size() != tensor.ne[0] * tensor.ne[2]) return nullptr;
	return &found->second;
}

}  // namespace

Result<QuantizePlan> planQuantization(const ModelSource& source, const QuantizeOptions& options) {
	QuantizePlan plan;
	plan.target = options.mixture.target;
	LayerPruning pruning(options.prune_layers);
	const std::vector<Kept> kept = keptTensors(source, pruning);
	if (kept.empty()) return fail(ErrorCode::kInvalidData, fmt::format("{} has no tensors to quantize", source.name()));
	VKQ_CHECK(pruning.check(source));
	VKQ_TRY(const auto choices, targetTypes(source, kept, options));
	plan.metadata = outputMetadata(source, options, pruning.layersKept());

	VKQ_TRY(plan.imatrix, checkImportance(source, kept, choices, options));

	std::vector<TensorInfo> outputs;
	for (size_t i = 0; i < kept.size(); ++i) {
		const TensorInfo& from = source.tensors()[kept[i].source];
		VKQ_CHECK(checkConversion(source, from, choices[i].type, options.allow_requantize));
		TensorJob job{kept[i].source, from.type, choices[i].type, nullptr, hasBestSearch(choices[i].type) ? options.search : Search::kReference, choices[i].fell_back};
		job.importance = importanceOf(from, job, options);
		plan.jobs.push_back(job);
		TensorInfo to = from;
		to.name = kept[i].name;
		to.type = choices[i].type;
		outputs.push_back(std::move(to));
		plan.weights += from.elements();
		plan.source_tensor_bytes += from.bytes;
	}
	VKQ_TRY(plan.layout, layOutGguf(plan.metadata, std::move(outputs)));
	for (const TensorInfo& tensor : plan.layout.tensors) plan.tensor_bytes += tensor.bytes;
	return plan;
}

std::filesystem::path defaultOutput(const std::filesystem::path& input, std::string_view type) {
	std::filesystem::path base = input;
	if (!base.has_filename()) base = base.parent_path();   // "model/" is a directory too
	const bool file = base.extension() == ".gguf" || base.extension() == ".safetensors";
	std::string name = file ? base.stem().string() : base.filename().string();
	std::string lowered = name;
	std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](unsigned char c) { return char(std::tolower(c)); });
	for (std::string_view suffix : {"-f16", "-bf16", "-f32", ".f16", ".bf16", ".f32"})
		if (lowered.ends_with(suffix) && lowered.size() > suffix.size()) {
			name.resize(name.size() - suffix.size());
			break;
		}
	return base.parent_path() / fmt::format("{}-{}.gguf", name, type);
}

Result<std::vector<bool>> namedByOverrides(const QuantizePlan& plan, const MixtureOptions& mixture) {
	std::vector<bool> named(plan.layout.tensors.size());
	for (const MixtureOptions::Override& override : mixture.overrides) {
		VKQ_TRY(const NamePattern pattern, NamePattern::compile(override.pattern));
		for (size_t j = 0; j < named.size(); ++j)
			if (!named[j]) named[j] = pattern.foundIn(plan.layout.tensors[j].name);
	}
	return named;
}

}  // namespace vkq
