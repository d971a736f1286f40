// A Hugging Face model as a source of GGUF tensors and metadata.
#include "ggufio/huggingface_config.h"
#include "ggufio/huggingface_files.h"
#include "ggufio/huggingface_tensors.h"
#include "ggufio/model_source.h"
#include "ggufio/tokenizer_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace vkq {

namespace {

namespace fs = std::filesystem;

class HuggingFaceSource final : public ModelSource {
public:
	HuggingFaceSource(HuggingFaceFiles files, std::vector<TensorRecipe> recipes, Metadata metadata, std::vector<std::string> warnings, std::string name)
	    : files_(std::move(files)), recipes_(std::move(recipes)), metadata_(std::move(metadata)), warnings_(std::move(warnings)),
	    name_(std::move(name)) {
		for (const TensorRecipe& recipe : recipes_) tensors_.push_back(recipe.info);
	}

	const Metadata& metadata() const override { return metadata_; }
	std::span<const TensorInfo> tensors() const override { return tensors_; }
	std::span<const std::string> warnings() const override { return warnings_; }
	uint64_t storedBytes() const override { return files_.storedBytes(); }
	std::string name() const override { return name_; }
	Bytes mapped(size_t tensor) const override { return mappedRows(files_, recipes_[tensor]); }

	Result<void> readRows(size_t tensor, uint64_t first_row, uint64_t rows, std::byte* out) const override {
		return readRecipeRows(files_, recipes_[tensor], first_row, rows, out);
	}

	Result<void> intact() const override {
		for (const SafetensorsFile& shard : files_.shards) VKQ_CHECK(shard.intact());
		return {};
	}

	void willNeed(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		forEachPiece(tensor, first_row, rows, [](const SafetensorsFile& file, const SafetensorsTensor& stored, uint64_t first_byte, uint64_t bytes) {
			file.willNeed(stored, first_byte, bytes);
		});
	}
	void doneWith(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		forEachPiece(tensor, first_row, rows, [](const SafetensorsFile& file, const SafetensorsTensor& stored, uint64_t first_byte, uint64_t bytes) {
			file.doneWith(stored, first_byte, bytes);
		});
	}

private:
	template <class Hint>
	void forEachPiece(size_t tensor, uint64_t first_row, uint64_t rows, Hint hint) const {
		uint64_t begins = 0;
		for (const RowSegment& segment : recipes_[tensor].segments) {
			const uint64_t ends = begins + segment.rows;
			const uint64_t from = std::max(first_row, begins), to = std::min(first_row + rows, ends);
			if (from < to) {
				const SafetensorsTensor& stored = *segment.stored.tensor;
				hint(files_.shards[segment.stored.shard], stored, (segment.first_row + from - begins) * stored.rowBytes(), (to - from) * stored.rowBytes());
			}
			begins = ends;
		}
	}

	HuggingFaceFiles files_;
	std::vector<TensorRecipe> recipes_;
	std::vector<TensorInfo> tensors_;
	Metadata metadata_;
	std::vector<std::string> warnings_;
	std::string name_;
};

/// GGUF's number for files whose matrices are mostly of one type, by bytes.
uint32_t fileType(const std::vector<TensorRecipe>& recipes) {
	std::map<TensorType, uint64_t> bytes;
	for (const TensorRecipe& recipe : recipes)
		if (recipe.info.dimensions > 1) bytes[recipe.info.type] += recipe.info.bytes;
	const auto most = std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
	if (most == bytes.end() || most->first == TensorType::F32) return 0;
	return most->first == TensorType::F16 ? 1 : 32;
}

/// "6.7B", or "8x7.0B" with experts: two digits at least.
std::string sizeLabel(const HuggingFaceConfig& config, const std::vector<TensorRecipe>& recipes) {
	double shared = 0.0, experts = 0.0;
	for (const TensorRecipe& recipe : recipes) (recipe.info.dimensions == 3 ? experts : shared) += double(recipe.info.elements());
	const auto rounded = [](double count) {
		const auto [unit, suffix] = count >= 1e12  ? std::pair(1e12, 'T')
		                            : count >= 1e9 ? std::pair(1e9, 'B')
		                            : count >= 1e6 ? std::pair(1e6, 'M')
		                                           : std::pair(1e3, 'K');
		return fmt::format("{:.{}f}{}", count / unit, count / unit < 9.5 ? 1 : 0, suffix);
	};
	if (config.n_expert == 0) return rounded(shared);
	return fmt::format("{}x{}", config.n_expert, rounded(shared + experts / double(config.n_expert)));
}

/// The folder's own name, whatever way it was given.
std::string modelName(const fs::path& folder) {
	std::error_code failed;
	fs::path full = fs::absolute(folder, failed).lexically_normal();
	if (failed) full = folder;
	if (!full.has_filename()) full = full.parent_path();
	const std::string name = full.filename().string();
	return name.empty() ? "model" : name;
}

}  // namespace

Result<std::unique_ptr<ModelSource>> openHuggingFaceSource(const fs::path& path) {
	VKQ_TRY(HuggingFaceFiles files, openHuggingFaceFiles(path));
	const fs::path config_path = files.folder / "config.json";
	std::error_code ignored;
	if (!fs::exists(config_path, ignored)) {
		return fail(ErrorCode::kNotFound, fmt::format("{}: config.json is missing beside the weights", files.folder.string()),
		            "safetensors hold numbers only: the model's config.json and tokenizer files are needed too");
	}
	std::vector<std::string> warnings;
	VKQ_TRY(Json json, readJson(config_path));
	VKQ_TRY(const HuggingFaceConfig config, readHuggingFaceConfig(std::move(json), config_path.string(), warnings));
	VKQ_TRY(std::vector<TensorRecipe> recipes, planHuggingFaceTensors(files, config, files.folder.string(), warnings));

	Metadata metadata;
	metadata.set("general.architecture", config.arch);
	metadata.set("general.type", std::string("model"));
	metadata.set("general.name", modelName(files.folder));
	metadata.set("general.size_label", sizeLabel(config, recipes));
	appendModelMetadata(config, fileType(recipes), metadata);
	VKQ_CHECK(appendTokenizerMetadata(files.folder, config, metadata, warnings));
	return std::unique_ptr<ModelSource>(
	    std::make_unique<HuggingFaceSource>(std::move(files), std::move(recipes), std::move(metadata), std::move(warnings), path.string()));
}

}  // namespace vkq
