#include "ggufio/imatrix_file.h"

#include "core/text.h"
#include "ggufio/file_kind.h"
#include "ggufio/gguf_reader.h"
#include "ggufio/gguf_writer.h"
#include "ggufio/mapped_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace vkq {

namespace {

constexpr std::string_view kSumsSuffix = ".in_sum2", kCountsSuffix = ".counts";

std::vector<float> floatsOf(const GgufFile& file, const TensorInfo& tensor) {
	const Bytes bytes = file.data(tensor);   // not aligned for floats in an image of any origin
	std::vector<float> values(tensor.elements());
	if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
	return values;
}

TensorInfo floatTensor(std::string name, uint64_t ne0, uint64_t ne1) {
	TensorInfo tensor;
	tensor.name = std::move(name);
	tensor.dimensions = 2;
	tensor.ne = {ne0, ne1, 1, 1};
	tensor.type = TensorType::F32;
	return tensor;
}

}  // namespace

Result<ImatrixSums> parseImatrixSums(Bytes image, std::string name) {
	const auto malformed = [&](std::string_view what) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: is no complete importance matrix: {}", name, what),
		            "llama-imatrix makes them");
	};
	VKQ_TRY(const GgufFile file, GgufFile::parse(image, name));
	const Metadata& metadata = file.metadata();
	const auto* datasets = metadata.strings("imatrix.datasets");
	const auto chunk_count = metadata.unsignedInt("imatrix.chunk_count"), chunk_size = metadata.unsignedInt("imatrix.chunk_size");
	if (!datasets) return malformed("imatrix.datasets is missing or no list of texts");
	if (!chunk_count || *chunk_count > UINT32_MAX) return malformed("imatrix.chunk_count is missing or no number of chunks");
	if (!chunk_size || *chunk_size > UINT32_MAX) return malformed("imatrix.chunk_size is missing or no number of tokens");

	ImatrixSums sums{*datasets, uint32_t(*chunk_count), uint32_t(*chunk_size), {}};
	for (const TensorInfo& tensor : file.tensors()) {
		const std::string_view tensor_name = tensor.name;
		if (tensor_name.ends_with(kCountsSuffix)) {
			const std::string weight(tensor_name.substr(0, tensor_name.size() - kCountsSuffix.size()));
			if (!file.findTensor(weight + std::string(kSumsSuffix))) return malformed(fmt::format("{} has counts but no sums", quote(weight)));
		}
		if (!tensor_name.ends_with(kSumsSuffix)) continue;
		const std::string weight(tensor_name.substr(0, tensor_name.size() - kSumsSuffix.size()));
		const TensorInfo* counts = file.findTensor(weight + std::string(kCountsSuffix));
		if (!counts) return malformed(fmt::format("{} has sums but no counts", quote(weight)));
		if (tensor.type != TensorType::F32 || counts->type != TensorType::F32) return malformed(fmt::format("{} is not stored as F32", quote(weight)));
		if (tensor.elements() == 0 || counts->elements() != tensor.rows())
			return malformed(fmt::format("{} has {} rows of sums and {} counts", quote(weight), tensor.rows(), counts->elements()));
		sums.entries[weight] = {floatsOf(file, tensor), floatsOf(file, *counts)};
	}
	if (sums.entries.empty()) return malformed("it has no entries");
	return sums;
}

Imatrix importanceOf(const ImatrixSums& sums, std::string file) {
	Imatrix imatrix;
	imatrix.file = std::move(file);
	imatrix.datasets = sums.datasets;
	imatrix.chunks = sums.chunk_count;
	for (const auto& [name, entry] : sums.entries) {
		std::vector<float>& importance = imatrix.importance[name];
		importance.assign(entry.in_sum2.size(), 1.0f);
		const size_t columns = entry.in_sum2.size() / entry.counts.size();
		for (size_t i = 0; i < importance.size(); ++i) {
			const float count = entry.counts[i / columns];
			if (count > 0) importance[i] = entry.in_sum2[i] / count;
		}
	}
	return imatrix;
}

Result<Imatrix> parseImatrix(Bytes image, std::string name) {
	const FileKind kind = identifyFile(image);
	switch (kind) {
	case FileKind::Gguf: {
		VKQ_TRY(const ImatrixSums sums, parseImatrixSums(image, name));
		return importanceOf(sums, std::move(name));
	}
	case FileKind::Pickle:   // the older form has no magic: 640 to 1,408 entries begin with the same two bytes
	case FileKind::Unknown: return parseLegacyImatrix(image, std::move(name));
	default:
		return fail(ErrorCode::kMalformed, fmt::format("{}: not an importance matrix; it looks like {}", name, describeFile(kind)),
		            std::string(hintForFile(kind)));
	}
}

Result<Imatrix> openImatrix(const std::filesystem::path& path) {
	VKQ_TRY(const MappedFile file, MappedFile::open(path));
	auto parsed = parseImatrix(file.bytes(), path.string());
	VKQ_CHECK(file.intact());
	VKQ_TRY(Imatrix imatrix, std::move(parsed));
	imatrix.file = path.string();
	return imatrix;
}

Result<void> writeImatrix(const std::filesystem::path& output, const ImatrixSums& sums, bool overwrite) {
	Metadata metadata;
	metadata.set("general.type", std::string("imatrix"));
	metadata.set("imatrix.datasets", MetaArray(sums.datasets));
	metadata.set("imatrix.chunk_count", sums.chunk_count);
	metadata.set("imatrix.chunk_size", sums.chunk_size);
	std::vector<TensorInfo> tensors;
	std::vector<const std::vector<float>*> data;
	for (const auto& [name, entry] : sums.entries) {
		assert(!entry.counts.empty() && entry.in_sum2.size() % entry.counts.size() == 0);
		tensors.push_back(floatTensor(name + std::string(kSumsSuffix), entry.in_sum2.size() / entry.counts.size(), entry.counts.size()));
		data.push_back(&entry.in_sum2);
		tensors.push_back(floatTensor(name + std::string(kCountsSuffix), 1, entry.counts.size()));
		data.push_back(&entry.counts);
	}
	VKQ_TRY(GgufLayout layout, layOutGguf(metadata, std::move(tensors)));
	VKQ_TRY(GgufWriter writer, GgufWriter::create(output, metadata, std::move(layout), overwrite));
	for (size_t i = 0; i < data.size(); ++i) VKQ_CHECK(writer.write(i, 0, std::as_bytes(std::span(*data[i]))));
	return writer.finish();
}

}  // namespace vkq
