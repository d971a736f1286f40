#include "tools/vkinfo_model.h"

#include "core/text.h"
#include "core/units.h"
#include "quant/mixture.h"
#include "tools/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <type_traits>

#include <fnmatch.h>

namespace vkq::tools {

namespace {

constexpr size_t kShortTextBytes = 72;
constexpr size_t kShortArrayElements = 8;

bool matches(const std::string& name, const ModelInfoOptions& options) {
	return options.filter.empty() || ::fnmatch(options.filter.c_str(), name.c_str(), 0) == 0;
}

double bitsPerWeight(uint64_t bytes, uint64_t weights) { return weights ? 8.0 * double(bytes) / double(weights) : 0.0; }

struct Totals {
	uint64_t tensors = 0, weights = 0, bytes = 0;
	void add(const TensorInfo& tensor) {
		++tensors;
		weights += tensor.elements();
		bytes += tensor.bytes;
	}
};

struct Summary {
	uint64_t file_bytes = 0;
	Totals all;                             // the whole file
	Totals shown;                           // what the filter leaves
	std::map<TensorType, Totals> by_type;   // of those shown
};

Summary summarize(const GgufFile& file, const ModelInfoOptions& options) {
	Summary summary;
	for (uint32_t shard = 0; shard < file.shardCount(); ++shard) summary.file_bytes += file.shardFileBytes(shard);
	for (const TensorInfo& tensor : file.tensors()) {
		summary.all.add(tensor);
		if (!matches(tensor.name, options)) continue;
		summary.shown.add(tensor);
		summary.by_type[tensor.type].add(tensor);
	}
	return summary;
}

/// Calls `use` with the vector that the array holds (bools as their bytes).
template <class Use>
auto withElements(const MetaArray& array, Use use) {
	return std::visit(
	    [&](const auto& values) {
		    if constexpr (std::is_same_v<std::decay_t<decltype(values)>, MetaBools>) return use(values.values, true);
		    else return use(values, false);
	    },
	    array);
}

template <class T>
std::string scalarText(const T& value, bool is_bool, size_t limit) {
	if constexpr (std::is_same_v<T, std::string>) return printable(value, limit);
	else if (is_bool || std::is_same_v<T, bool>) return value != T{} ? "true" : "false";
	else return fmt::format("{}", value);
}

std::string arrayText(const MetaArray& array, const ModelInfoOptions& options) {
	return withElements(array, [&](const auto& values, bool is_bool) {
		const bool texts = metaElementType(array) == MetaType::String;
		std::string out;
		for (size_t i = 0; i < values.size(); ++i) {
			if (!options.full && (i == kShortArrayElements || out.size() > kShortTextBytes)) return out + ", ...";
			if (i != 0) out += ", ";
			const std::string element = scalarText(values[i], is_bool, options.full ? 0 : kShortTextBytes);
			out += texts ? '"' + element + '"' : element;
		}
		return out;
	});
}

std::string valueText(const MetaValue& value, const ModelInfoOptions& options) {
	return std::visit(
	    [&](const auto& held) {
		    if constexpr (std::is_same_v<std::decay_t<decltype(held)>, MetaArray>) return arrayText(held, options);
		    else return scalarText(held, false, options.full ? 0 : kShortTextBytes);
	    },
	    value);
}

std::string typeText(const MetaValue& value) {
	if (const MetaArray* array = std::get_if<MetaArray>(&value)) return fmt::format("{}[{}]", metaTypeName(metaElementType(*array)), metaArraySize(*array));
	return std::string(metaTypeName(metaType(value)));
}

Json valueJson(const MetaValue& value, const ModelInfoOptions& options) {
	return std::visit(
	    [&](const auto& held) -> Json {
		    if constexpr (!std::is_same_v<std::decay_t<decltype(held)>, MetaArray>) return held;
		    else
			    return withElements(held, [&](const auto& values, bool is_bool) {
				    Json elements = Json::array();
				    const size_t count = options.full ? values.size() : std::min(values.size(), kShortArrayElements);
				    for (size_t i = 0; i < count; ++i) {
					    if (is_bool) elements.push_back(values[i] != typename std::decay_t<decltype(values)>::value_type{});
					    else elements.push_back(values[i]);
				    }
				    return elements;
			    });
	    },
	    value);
}

std::string shapeText(const TensorInfo& tensor) {
	std::string out;
	for (uint32_t d = 0; d < tensor.dimensions; ++d) out += (d ? " x " : "") + std::to_string(tensor.ne[d]);
	return out.empty() ? "scalar" : out;
}

/// What the number of general.file_type stands for; empty if it is none that is known.
std::string fileTypeText(const Metadata& metadata) {
	const auto number = metadata.unsignedInt("general.file_type");
	for (const FileTypeInfo& info : allFileTypes())
		if (number == uint64_t(info.file_type)) return std::string(fileTypeName(info.file_type));
	return {};
}

std::string metadataText(const GgufFile& file, const ModelInfoOptions& options) {
	Table table({{"key"}, {"type"}, {"value"}});
	for (const MetaEntry& entry : file.metadata().entries()) {
		if (!matches(entry.key, options)) continue;
		std::string value = valueText(entry.value, options);
		if (const std::string name = fileTypeText(file.metadata()); entry.key == "general.file_type" && !name.empty()) value += " (" + name + ")";
		table.add({printable(entry.key), typeText(entry.value), std::move(value)});
	}
	return table.empty() ? "" : "\n" + table.text(2);
}

std::string tensorsText(const GgufFile& file, const ModelInfoOptions& options) {
	Table table({{"tensor"}, {"shape"}, {"type"}, {"size", Align::Right}, {"bits/weight", Align::Right}});
	for (const TensorInfo& tensor : file.tensors())
		if (matches(tensor.name, options))
			table.add({printable(tensor.name), shapeText(tensor), std::string(typeName(tensor.type)), formatBytes(tensor.bytes),
			           fmt::format("{:.2f}", bitsPerWeight(tensor.bytes, tensor.elements()))});
	return table.empty() ? "" : "\n" + table.text(2);
}

std::string typesText(const Summary& summary) {
	Table table({{"type"}, {"tensors", Align::Right}, {"weights", Align::Right}, {"size", Align::Right}, {"bits/weight", Align::Right}, {"share", Align::Right}});
	const auto add = [&](std::string name, const Totals& totals) {
		table.add({std::move(name), std::to_string(totals.tensors), formatCount(totals.weights), formatBytes(totals.bytes),
		           fmt::format("{:.2f}", bitsPerWeight(totals.bytes, totals.weights)),
		           fmt::format("{:.1f} %", summary.shown.bytes ? 100.0 * double(totals.bytes) / double(summary.shown.bytes) : 0.0)});
	};
	for (const auto& [type, totals] : summary.by_type) add(std::string(typeName(type)), totals);
	add("all", summary.shown);
	return "\n" + table.text(2);
}

}  // namespace

std::string modelInfoText(const GgufFile& file, const ModelInfoOptions& options) {
	const Summary summary = summarize(file, options);
	std::string out = fmt::format("{}: GGUF version {}, {}", printable(file.shardPath(0).string()), file.version(), formatBytes(summary.file_bytes));
	if (file.shardCount() > 1) out += fmt::format(" in {} files", file.shardCount());
	out += fmt::format(", {} metadata entries, {} tensors, {} weights, {:.2f} bits per weight\n", file.metadata().entries().size(),
	                   summary.all.tensors, formatCount(summary.all.weights), bitsPerWeight(summary.all.bytes, summary.all.weights));
	if (options.metadata) out += metadataText(file, options);
	if (options.tensors) out += tensorsText(file, options);
	if (options.types && summary.shown.tensors != 0) out += typesText(summary);
	return out;
}

Json modelInfoJson(const GgufFile& file, const ModelInfoOptions& options) {
	const Summary summary = summarize(file, options);
	Json files = Json::array();
	for (uint32_t shard = 0; shard < file.shardCount(); ++shard)
		files.push_back({{"path", file.shardPath(shard).string()}, {"bytes", file.shardFileBytes(shard)}, {"data_start", file.dataStart(shard)}});
	Json json = {{"file", file.shardPath(0).string()},
	             {"version", file.version()},
	             {"alignment", file.alignment()},
	             {"bytes", summary.file_bytes},
	             {"tensor_count", summary.all.tensors},
	             {"weights", summary.all.weights},
	             {"tensor_bytes", summary.all.bytes},
	             {"bits_per_weight", bitsPerWeight(summary.all.bytes, summary.all.weights)},
	             {"files", std::move(files)}};
	if (options.metadata) {
		Json& entries = json["metadata"] = Json::array();
		for (const MetaEntry& entry : file.metadata().entries()) {
			if (!matches(entry.key, options)) continue;
			Json item = {{"key", entry.key}, {"type", metaTypeName(metaType(entry.value))}};
			if (const MetaArray* array = std::get_if<MetaArray>(&entry.value)) {
				item["element_type"] = metaTypeName(metaElementType(*array));
				item["count"] = metaArraySize(*array);
			}
			item["value"] = valueJson(entry.value, options);
			entries.push_back(std::move(item));
		}
	}
	if (options.tensors) {
		Json& tensors = json["tensors"] = Json::array();
		for (const TensorInfo& tensor : file.tensors()) {
			if (!matches(tensor.name, options)) continue;
			tensors.push_back({{"name", tensor.name},
			                   {"shape", std::vector<uint64_t>(tensor.ne.begin(), tensor.ne.begin() + tensor.dimensions)},
			                   {"type", typeName(tensor.type)},
			                   {"file", tensor.shard},
			                   {"offset", tensor.offset},
			                   {"bytes", tensor.bytes},
			                   {"bits_per_weight", bitsPerWeight(tensor.bytes, tensor.elements())}});
		}
	}
	if (options.types) {
		Json& types = json["types"] = Json::array();
		for (const auto& [type, totals] : summary.by_type)
			types.push_back({{"type", typeName(type)}, {"tensors", totals.tensors}, {"weights", totals.weights}, {"bytes", totals.bytes}});
	}
	return json;
}

}  // namespace vkq::tools
