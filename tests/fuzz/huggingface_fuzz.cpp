// Any config.json (up to the first NUL) over any safetensors file (behind it): planned, and every row read.

#include "ggufio/huggingface_tensors.h"

#include <algorithm>
#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const Bytes input(reinterpret_cast<const std::byte*>(data), size);
	const size_t end = size_t(std::find(input.begin(), input.end(), std::byte(0)) - input.begin());
	if (end == size) return 0;
	auto json = parseJson(std::string_view(reinterpret_cast<const char*>(data), end), "config.json");
	if (!json.ok()) return 0;
	std::vector<std::string> warnings;
	const auto config = readHuggingFaceConfig(std::move(json).value(), "config.json", warnings);
	if (!config.ok()) {
		if (!config.error().message.starts_with("config.json: ")) std::abort();
		return 0;
	}
	Metadata metadata;
	appendModelMetadata(*config, 32, metadata);

	auto file = SafetensorsFile::parse(input.subspan(end + 1), "fuzz.safetensors");
	if (!file.ok()) return 0;
	HuggingFaceFiles files;
	files.shards.push_back(std::move(file).value());
	for (const SafetensorsTensor& tensor : files.shards[0].tensors()) files.tensors.emplace(tensor.name, StoredTensor{0, &tensor});
	const auto recipes = planHuggingFaceTensors(files, *config, "fuzz", warnings);
	if (!recipes.ok()) {
		if (recipes.error().message.empty()) std::abort();
		return 0;
	}
	for (const TensorRecipe& recipe : *recipes) {
		if (recipe.segments.empty() != !recipe.values.empty() && recipe.info.elements() != 0) std::abort();
		if (const Bytes mapped = mappedRows(files, recipe); !mapped.empty() && mapped.size() != recipe.info.bytes) std::abort();
		std::vector<std::byte> rows(recipe.info.bytes);
		if (!readRecipeRows(files, recipe, 0, recipe.info.rows(), rows.data()).ok()) std::abort();
	}
	return 0;
}
