#include "ggufio/gguf_reader.h"

#include "core/text.h"
#include "ggufio/gguf_parse.h"
#include "ggufio/mapped_file.h"
#include "ggufio/split_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <numeric>

namespace vkq {

struct GgufFile::Impl {
	struct Shard {
		MappedFile file;   // empty for an image in memory
		std::filesystem::path path;
		Bytes image;
		uint64_t data_start = 0;
	};

	uint32_t version = 0;
	uint32_t alignment = 32;
	Metadata metadata;
	std::vector<TensorInfo> tensors;
	std::vector<Shard> shards;
	std::vector<size_t> by_name;   // tensors, sorted by name: a hash table could be aimed at by a file's author

	/// Takes over what was parsed of the next shard.
	void add(MappedFile file, std::filesystem::path path, Bytes image, ParsedGguf parsed) {
		const uint32_t number = uint32_t(shards.size());
		if (number == 0) {
			version = parsed.version;
			alignment = parsed.alignment;
			metadata = std::move(parsed.metadata);
		}
		for (TensorInfo& tensor : parsed.tensors) {
			tensor.shard = number;
			tensors.push_back(std::move(tensor));
		}
		shards.push_back({std::move(file), std::move(path), image, parsed.data_start});
	}

	/// After the last shard. Names are unique in one shard already.
	Result<void> index() {
		by_name.resize(tensors.size());
		std::iota(by_name.begin(), by_name.end(), size_t(0));
		std::sort(by_name.begin(), by_name.end(), [&](size_t a, size_t b) { return tensors[a].name < tensors[b].name; });
		const auto twin = std::adjacent_find(by_name.begin(), by_name.end(), [&](size_t a, size_t b) { return tensors[a].name == tensors[b].name; });
		if (twin == by_name.end()) return {};
		const auto [earlier, later] = std::minmax(tensors[twin[0]].shard, tensors[twin[1]].shard);
		return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is in {} already", shards[later].path.string(), quote(tensors[*twin].name),
		                                               shards[earlier].path.filename().string()));
	}
};

namespace {

struct OpenedShard {
	MappedFile file;
	ParsedGguf parsed;
};

Result<OpenedShard> openShard(const std::filesystem::path& path) {
	OpenedShard shard;
	VKQ_TRY(shard.file, MappedFile::open(path));
	auto parsed = parseGguf(shard.file.bytes(), path.string());
	VKQ_CHECK(shard.file.intact());
	VKQ_TRY(shard.parsed, std::move(parsed));
	return shard;
}

uint64_t splitCount(const Metadata& metadata) { return metadata.unsignedInt("split.count").value_or(0); }

/// The name agrees with what the file says of itself.
Result<SplitName> splitNameOf(const std::filesystem::path& path, const Metadata& metadata) {
	const uint64_t count = splitCount(metadata);
	const auto number = metadata.unsignedInt("split.no");
	if (!number || *number >= count || count > kMaxShards)
		return fail(ErrorCode::kMalformed, fmt::format("{}: is part of a split model, but its split.no and split.count make no sense", path.string()));
	const auto name = parseSplitPath(path);
	if (!name || name->count != count || name->shard != *number)
		return fail(ErrorCode::kMalformed, fmt::format("{}: is part {} of {} of a split model, but is not named so", path.string(), *number + 1, count),
		            fmt::format("name the parts like {}", splitPath("NAME", uint32_t(*number), uint32_t(count)).string()));
	return *name;
}

Result<void> checkAllThere(const SplitName& name) {
	std::string missing;
	uint32_t missing_count = 0;
	for (uint32_t shard = 0; shard < name.count; ++shard) {
		const auto path = splitPath(name.prefix, shard, name.count);
		std::error_code ignored;
		if (std::filesystem::exists(path, ignored)) continue;
		if (++missing_count <= 4) missing += (missing.empty() ? "" : ", ") + path.filename().string();
	}
	if (missing_count == 0) return {};
	if (missing_count > 4) missing += fmt::format(" and {} more", missing_count - 4);
	return fail(ErrorCode::kNotFound, fmt::format("{}: {} of the model's {} parts are missing: {}", name.prefix.string(), missing_count, name.count, missing),
	            "put all parts into one folder");
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
	auto impl = std::make_unique<Impl>();
	VKQ_TRY(OpenedShard first, openShard(path));
	if (splitCount(first.parsed.metadata) <= 1) {
		const Bytes image = first.file.bytes();
		impl->add(std::move(first.file), path, image, std::move(first.parsed));
		VKQ_CHECK(impl->index());
		return GgufFile(std::move(impl));
	}

	VKQ_TRY(const SplitName name, splitNameOf(path, first.parsed.metadata));
	VKQ_CHECK(checkAllThere(name));
	const auto tensor_count = first.parsed.metadata.unsignedInt("split.tensors.count");
	for (uint32_t number = 0; number < name.count; ++number) {
		const auto shard_path = splitPath(name.prefix, number, name.count);
		OpenedShard shard;
		if (number == name.shard) shard = std::move(first);
		else {
			VKQ_TRY(shard, openShard(shard_path));
			if (splitCount(shard.parsed.metadata) != name.count || shard.parsed.metadata.unsignedInt("split.no") != number ||
			    shard.parsed.metadata.unsignedInt("split.tensors.count") != tensor_count)
				return fail(ErrorCode::kMalformed,
				            fmt::format("{}: does not belong to the same split model as {}", shard_path.string(), path.filename().string()));
		}
		const Bytes image = shard.file.bytes();
		impl->add(std::move(shard.file), shard_path, image, std::move(shard.parsed));
	}
	if (tensor_count && *tensor_count != impl->tensors.size())
		return fail(ErrorCode::kMalformed, fmt::format("{}: the model's {} parts hold {} tensors, but {} were split", name.prefix.string(), name.count,
		                                               impl->tensors.size(), *tensor_count));
	VKQ_CHECK(impl->index());
	return GgufFile(std::move(impl));
}

Result<GgufFile> GgufFile::parse(Bytes image, std::string name) {
	auto impl = std::make_unique<Impl>();
	VKQ_TRY(ParsedGguf parsed, parseGguf(image, name));
	impl->add({}, std::move(name), image, std::move(parsed));
	VKQ_CHECK(impl->index());
	return GgufFile(std::move(impl));
}

GgufFile::GgufFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

uint32_t GgufFile::version() const { return impl_->version; }
uint32_t GgufFile::alignment() const { return impl_->alignment; }
const Metadata& GgufFile::metadata() const { return impl_->metadata; }
std::span<const TensorInfo> GgufFile::tensors() const { return impl_->tensors; }

const TensorInfo* GgufFile::findTensor(std::string_view name) const {
	const auto& tensors = impl_->tensors;
	const auto at = std::lower_bound(impl_->by_name.begin(), impl_->by_name.end(), name, [&](size_t i, std::string_view wanted) { return tensors[i].name < wanted; });
	return at == impl_->by_name.end() || tensors[*at].name != name ? nullptr : &tensors[*at];
}

uint32_t GgufFile::shardCount() const { return uint32_t(impl_->shards.size()); }
const std::filesystem::path& GgufFile::shardPath(uint32_t shard) const { return impl_->shards[shard].path; }
uint64_t GgufFile::shardFileBytes(uint32_t shard) const { return impl_->shards[shard].image.size(); }
uint64_t GgufFile::dataStart(uint32_t shard) const { return impl_->shards[shard].data_start; }

Bytes GgufFile::data(const TensorInfo& tensor) const {
	const Impl::Shard& shard = impl_->shards[tensor.shard];
	return shard.image.subspan(shard.data_start + tensor.offset, tensor.bytes);
}

Result<void> GgufFile::read(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes, std::byte* out) const {
	assert(first_byte <= tensor.bytes && bytes <= tensor.bytes - first_byte);
	const Impl::Shard& shard = impl_->shards[tensor.shard];
	const uint64_t offset = shard.data_start + tensor.offset + first_byte;
	if (!shard.file.bytes().empty()) return shard.file.readAt(offset, bytes, out);
	if (bytes != 0) std::memcpy(out, shard.image.data() + offset, bytes);
	return {};
}

Result<void> GgufFile::intact() const {
	for (const Impl::Shard& shard : impl_->shards) VKQ_CHECK(shard.file.intact());
	return {};
}

void GgufFile::willNeed(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes) const {
	const Impl::Shard& shard = impl_->shards[tensor.shard];
	shard.file.willNeed(shard.data_start + tensor.offset + first_byte, bytes);
}

void GgufFile::doneWith(const TensorInfo& tensor, uint64_t first_byte, uint64_t bytes) const {
	const Impl::Shard& shard = impl_->shards[tensor.shard];
	shard.file.doneWith(shard.data_start + tensor.offset + first_byte, bytes);
}

}  // namespace vkq
