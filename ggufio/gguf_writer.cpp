#include "ggufio/gguf_writer.h"

#include "core/text.h"
#include "core/units.h"
#include "ggufio/output_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <numeric>

namespace vkq {

struct GgufWriter::Impl {
	struct Shard {
		OutputFile file;
		GgufLayout layout;
	};
	struct Place {
		uint32_t shard = 0;
		size_t tensor = 0;   // in the shard's layout
	};

	std::vector<Shard> shards;
	std::vector<Place> places;   // by the model's tensor number
	uint64_t tensor_bytes = 0;   // of all tensors, without padding
	std::atomic<uint64_t> written_bytes = 0;

	const TensorInfo& tensor(size_t index) const { return shards[places[index].shard].layout.tensors[places[index].tensor]; }
	uint64_t fileOffset(size_t index) const { return shards[places[index].shard].layout.header_bytes + tensor(index).offset; }
	OutputFile& file(size_t index) { return shards[places[index].shard].file; }
};

namespace {

std::vector<GgufShard> singleShard(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout) {
	std::vector<GgufShard> shards(1);
	shards[0].path = output;
	shards[0].metadata = metadata;
	shards[0].tensors.resize(layout.tensors.size());
	std::iota(shards[0].tensors.begin(), shards[0].tensors.end(), size_t(0));
	shards[0].layout = std::move(layout);
	return shards;
}

/// A new attempt takes over the blocks of partial files that lie there.
Result<void> checkSpaceFor(const std::vector<GgufShard>& shards) {
	uint64_t needed = 0;
	for (const GgufShard& shard : shards) {
		const uint64_t there = partialBytesOnDisk(shard.path);
		needed += shard.layout.file_bytes > there ? shard.layout.file_bytes - there : 0;
	}
	const auto& path = shards.front().path;
	return checkFreeSpace(path.has_parent_path() ? path.parent_path() : ".", needed);
}

Result<void> checkHeader(const OutputFile& file, const std::vector<std::byte>& header) {
	std::vector<std::byte> found(header.size());
	VKQ_CHECK(file.readAt(0, found.size(), found.data()));
	if (found == header) return {};
	return fail(ErrorCode::kInvalidData, fmt::format("{}: was begun with other settings or for another model", file.partialPath().string()),
	            "repeat the settings of the interrupted run, or start without --resume");
}

}  // namespace

Result<GgufWriter> GgufWriter::open(std::vector<GgufShard> shards, bool overwrite, bool resume) {
	assert(!shards.empty());
	if (!resume) VKQ_CHECK(checkSpaceFor(shards));
	auto impl = std::make_unique<Impl>();
	size_t tensor_count = 0;
	for (const GgufShard& shard : shards) tensor_count += shard.tensors.size();
	impl->places.resize(tensor_count);
	for (GgufShard& shard : shards) {
		const uint64_t file_bytes = shard.layout.file_bytes;
		VKQ_TRY(OutputFile file, resume ? OutputFile::resume(shard.path, file_bytes, overwrite) : OutputFile::create(shard.path, file_bytes, overwrite));
		const std::vector<std::byte> header = ggufHeader(shard.metadata, shard.layout);
		if (resume) VKQ_CHECK(checkHeader(file, header));
		else VKQ_CHECK(file.writeAt(0, header));
		for (size_t i = 0; i < shard.tensors.size(); ++i) {
			impl->places[shard.tensors[i]] = {uint32_t(impl->shards.size()), i};
			impl->tensor_bytes += shard.layout.tensors[i].bytes;
		}
		impl->shards.push_back({std::move(file), std::move(shard.layout)});
	}
	return GgufWriter(std::move(impl));
}

Result<GgufWriter> GgufWriter::create(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout, bool overwrite) {
	return open(singleShard(output, metadata, std::move(layout)), overwrite, false);
}
Result<GgufWriter> GgufWriter::create(std::vector<GgufShard> shards, bool overwrite) { return open(std::move(shards), overwrite, false); }
Result<GgufWriter> GgufWriter::resume(std::vector<GgufShard> shards, bool overwrite) { return open(std::move(shards), overwrite, true); }
Result<GgufWriter> GgufWriter::resume(const std::filesystem::path& output, const Metadata& metadata, GgufLayout layout, bool overwrite) {
	return open(singleShard(output, metadata, std::move(layout)), overwrite, true);
}

GgufWriter::GgufWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GgufWriter::GgufWriter(GgufWriter&&) noexcept = default;
GgufWriter& GgufWriter::operator=(GgufWriter&&) noexcept = default;
GgufWriter::~GgufWriter() = default;

uint32_t GgufWriter::shardCount() const { return uint32_t(impl_->shards.size()); }
const GgufLayout& GgufWriter::layout(uint32_t shard) const { return impl_->shards[shard].layout; }
const std::filesystem::path& GgufWriter::partialPath(uint32_t shard) const { return impl_->shards[shard].file.partialPath(); }

uint64_t GgufWriter::fileBytes() const {
	return std::accumulate(impl_->shards.begin(), impl_->shards.end(), uint64_t(0),
	                       [](uint64_t sum, const Impl::Shard& shard) { return sum + shard.layout.file_bytes; });
}

Result<void> GgufWriter::write(size_t index, uint64_t at, Bytes bytes) {
	assert(at <= impl_->tensor(index).bytes && bytes.size() <= impl_->tensor(index).bytes - at);
	VKQ_CHECK(impl_->file(index).writeAt(impl_->fileOffset(index) + at, bytes));
	impl_->written_bytes += bytes.size();
	return {};
}

void GgufWriter::alreadyWritten(size_t index, uint64_t bytes) {
	assert(bytes <= impl_->tensor(index).bytes);
	(void)index;
	impl_->written_bytes += bytes;
}

Result<void> GgufWriter::readBack(size_t index, uint64_t at, uint64_t bytes, std::byte* out) const {
	assert(at <= impl_->tensor(index).bytes && bytes <= impl_->tensor(index).bytes - at);
	return impl_->file(index).readAt(impl_->fileOffset(index) + at, bytes, out);
}

Result<void> GgufWriter::sync() {
	for (Impl::Shard& shard : impl_->shards) VKQ_CHECK(shard.file.sync());
	return {};
}

Result<void> GgufWriter::finish() {
	if (impl_->written_bytes != impl_->tensor_bytes)
		return fail(ErrorCode::kIo, fmt::format("{}: incomplete: {} of {} bytes of tensors were written", impl_->shards.front().file.path().string(),
		                                        impl_->written_bytes.load(), impl_->tensor_bytes));
	VKQ_CHECK(sync());   // of all shards, before the first gets its name
	for (size_t i = 0; i < impl_->shards.size(); ++i) {
		auto finished = impl_->shards[i].file.finish();
		if (finished.ok()) continue;
		// Some files of a split under their final names and some not would look like a model.
		std::error_code ignored;
		for (size_t earlier = 0; earlier < i; ++earlier) std::filesystem::remove(impl_->shards[earlier].file.path(), ignored);
		return finished;
	}
	return {};
}

void GgufWriter::keepPartial() {
	for (Impl::Shard& shard : impl_->shards) shard.file.keep();
}

}  // namespace vkq
