#include "ggufio/huggingface_files.h"

#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace vkq {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr uint32_t kMaxShards = 10'000;

bool isFile(const fs::path& path) {
	std::error_code ignored;
	return fs::is_regular_file(path, ignored);
}

/// "model-00002-of-00005.safetensors": what the other shards' names are made of.
struct ShardName {
	std::string prefix;   // "model"
	uint32_t index = 0;   // 1-based
	uint32_t count = 0;
};

std::optional<ShardName> parseShardName(std::string_view name) {
	if (!name.ends_with(kSuffix)) return std::nullopt;
	name.remove_suffix(kSuffix.size());
	constexpr size_t kTail = std::string_view("-00001-of-00005").size();
	if (name.size() <= kTail) return std::nullopt;
	const std::string_view tail = name.substr(name.size() - kTail);
	const auto number = [&](size_t at, uint32_t& out) {
		const auto [end, status] = std::from_chars(tail.data() + at, tail.data() + at + 5, out);
		return status == std::errc() && end == tail.data() + at + 5;
	};
	ShardName shard{std::string(name.substr(0, name.size() - kTail))};
	if (tail[0] != '-' || tail.substr(6, 4) != "-of-" || !number(1, shard.index) || !number(10, shard.count)) return std::nullopt;
	if (shard.index < 1 || shard.index > shard.count || shard.count > kMaxShards) return std::nullopt;
	return shard;
}

std::vector<std::string> allShardNames(const ShardName& one) {
	std::vector<std::string> names;
	for (uint32_t i = 1; i <= one.count; ++i) names.push_back(fmt::format("{}-{:05}-of-{:05}{}", one.prefix, i, one.count, kSuffix));
	return names;
}

bool isPlainFileName(std::string_view name) {
	return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

/// The weight_map of an index: tensor -> file name.
Result<std::map<std::string, std::string>> readIndex(const fs::path& path) {
	VKQ_TRY(const Json json, readJson(path));
	const Json* map = member(json, "weight_map");
	if (!map || !map->is_object()) return fail(ErrorCode::kMalformed, fmt::format("{}: has no weight_map", path.string()));
	std::map<std::string, std::string> files;
	for (const auto& [tensor, file] : map->items()) {
		if (!file.is_string())
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {}: its file is {}", path.string(), quote(tensor), jsonKind(file)));
		const std::string name = file.get<std::string>();
		if (!isPlainFileName(name)) {
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {}: its file {} is not a name within the folder", path.string(), quote(tensor),
			                                               quote(name)));
		}
		files.emplace(tensor, name);
	}
	if (files.empty()) return fail(ErrorCode::kMalformed, fmt::format("{}: weight_map names no tensors", path.string()));
	return files;
}

Error noWeights(const fs::path& folder) {
	std::error_code failed;
	std::string hint = "give a folder with config.json and model.safetensors, or a GGUF file";
	for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
		const std::string name = entry->path().filename().string();
		if (name.ends_with(".gguf")) hint = "give the GGUF file itself: " + entry->path().string();
		if ((name.ends_with(".bin") && name.starts_with("pytorch_model")) || name.ends_with(".pth"))
			hint = "PyTorch pickles can run code and are not read: download the .safetensors files of the model";
	}
	return fail(ErrorCode::kNotFound, fmt::format("{}: holds no .safetensors file", folder.string()), hint);
}

/// The shards' names when the folder has no index: model.safetensors, a numbered set, or the only .safetensors file.
Result<std::vector<std::string>> findShards(const fs::path& folder) {
	if (isFile(folder / "model.safetensors")) return std::vector<std::string>{"model.safetensors"};
	std::error_code failed;
	std::set<std::string> found;
	for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
		const std::string name = entry->path().filename().string();
		if (name.ends_with(kSuffix) && !name.starts_with("consolidated")) found.insert(name);   // Mistral's own form, beside the other
	}
	if (failed) return fail(ErrorCode::kIo, fmt::format("{}: cannot be listed: {}", folder.string(), failed.message()));
	for (const std::string& name : found)
		if (const auto shard = parseShardName(name); shard && shard->prefix == "model") return allShardNames(*shard);
	if (found.empty()) return noWeights(folder);
	if (const auto shard = parseShardName(*found.begin())) return allShardNames(*shard);
	if (found.size() > 1)
		return fail(ErrorCode::kUsage, fmt::format("{}: holds {} .safetensors files and no index", folder.string(), found.size()),
		            "give the file that is meant");
	return std::vector<std::string>{*found.begin()};
}

Result<void> openShards(HuggingFaceFiles& files, const std::vector<std::string>& names) {
	for (const std::string& name : names) {
		if (!isFile(files.folder / name)) {
			return fail(ErrorCode::kNotFound, fmt::format("{}: shard {} of {} is missing", files.folder.string(), quote(name), names.size()),
			            "download all files of the model");
		}
		VKQ_TRY(SafetensorsFile shard, SafetensorsFile::open(files.folder / name));
		files.shards.push_back(std::move(shard));
	}
	for (uint32_t shard = 0; shard < files.shards.size(); ++shard) {
		for (const SafetensorsTensor& tensor : files.shards[shard].tensors()) {
			const auto [place, fresh] = files.tensors.emplace(tensor.name, StoredTensor{shard, &tensor});
			if (fresh) continue;
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is in {} as well", files.shards[shard].name(), quote(tensor.name),
			                                               files.shards[place->second.shard].name()));
		}
	}
	return {};
}

Result<void> checkIndex(const HuggingFaceFiles& files, const std::map<std::string, std::string>& index, const fs::path& path) {
	for (const auto& [tensor, file] : index) {
		const auto found = files.tensors.find(tensor);
		if (found == files.tensors.end() || fs::path(files.shards[found->second.shard].name()).filename() != file)
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is not in {}, where the index has it", path.string(), quote(tensor), quote(file)));
	}
	for (const auto& [name, stored] : files.tensors) {
		if (!index.contains(name))
			return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} of {} is not in the index", path.string(), quote(name),
			                                               files.shards[stored.shard].name()));
	}
	return {};
}

Result<void> openByIndex(HuggingFaceFiles& files, const fs::path& path) {
	VKQ_TRY(const auto index, readIndex(path));
	std::set<std::string> names;
	for (const auto& [tensor, file] : index) names.insert(file);
	if (names.size() > kMaxShards) return fail(ErrorCode::kMalformed, fmt::format("{}: names {} files", path.string(), names.size()));
	VKQ_CHECK(openShards(files, {names.begin(), names.end()}));
	return checkIndex(files, index, path);
}

}  // namespace

uint64_t HuggingFaceFiles::storedBytes() const {
	uint64_t bytes = 0;
	for (const SafetensorsFile& shard : shards) bytes += shard.fileBytes();
	return bytes;
}

Result<HuggingFaceFiles> openHuggingFaceFiles(const fs::path& path) {
	std::error_code ignored;
	HuggingFaceFiles files;
	if (fs::is_directory(path, ignored)) {
		files.folder = path.has_filename() ? path : path.parent_path();   // "model/"
		const fs::path index = path / "model.safetensors.index.json";
		if (!isFile(path / "model.safetensors") && isFile(index)) {
			VKQ_CHECK(openByIndex(files, index));
			return files;
		}
		VKQ_TRY(const std::vector<std::string> names, findShards(path));
		VKQ_CHECK(openShards(files, names));
		return files;
	}
	if (!fs::exists(path, ignored)) return fail(ErrorCode::kNotFound, fmt::format("{}: no such file or folder", path.string()));

	files.folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
	const std::string name = path.filename().string();
	if (name.ends_with(kIndexSuffix)) {
		VKQ_CHECK(openByIndex(files, path));
		return files;
	}
	const auto shard = parseShardName(name);
	VKQ_CHECK(openShards(files, shard ? allShardNames(*shard) : std::vector<std::string>{name}));
	return files;
}

}  // namespace vkq
