#include "ggufio/gguf_layout.h"

#include "core/text.h"
#include "ggufio/gguf_parse.h"
#include "ggufio/split_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <type_traits>

namespace vkq {

namespace {

/// Counts bytes, or puts them into a buffer that was sized by counting.
class Sink {
public:
	explicit Sink(std::byte* out = nullptr) : out_(out) {}
	uint64_t size() const { return size_; }

	void raw(const void* bytes, size_t count) {
		if (out_ && count != 0) std::memcpy(out_ + size_, bytes, count);
		size_ += count;
	}
	template <class T>
	void value(T value) {
		static_assert(std::is_arithmetic_v<T>);
		raw(&value, sizeof(T));
	}
	void text(std::string_view text) {
		value<uint64_t>(text.size());
		raw(text.data(), text.size());
	}

private:
	std::byte* out_;
	uint64_t size_ = 0;
};

void writeArray(Sink& sink, const MetaArray& array) {
	sink.value(uint32_t(metaElementType(array)));
	sink.value(metaArraySize(array));
	std::visit(
	    [&](const auto& values) {
		    using T = std::decay_t<decltype(values)>;
		    if constexpr (std::is_same_v<T, MetaBools>) sink.raw(values.values.data(), values.values.size());
		    else if constexpr (std::is_same_v<T, std::vector<std::string>>)
			    for (const std::string& text : values) sink.text(text);
		    else sink.raw(values.data(), values.size() * sizeof(values[0]));
	    },
	    array);
}

void writeValue(Sink& sink, const MetaValue& value) {
	sink.value(uint32_t(metaType(value)));
	std::visit(
	    [&](const auto& held) {
		    using T = std::decay_t<decltype(held)>;
		    if constexpr (std::is_same_v<T, MetaArray>) writeArray(sink, held);
		    else if constexpr (std::is_same_v<T, std::string>) sink.text(held);
		    else if constexpr (std::is_same_v<T, bool>) sink.value(uint8_t(held));
		    else sink.value(held);
	    },
	    value);
}

void writeHeader(Sink& sink, const Metadata& metadata, std::span<const TensorInfo> tensors) {
	sink.raw("GGUF", 4);
	sink.value<uint32_t>(3);
	sink.value<uint64_t>(tensors.size());
	sink.value<uint64_t>(metadata.entries().size());
	for (const MetaEntry& entry : metadata.entries()) {
		sink.text(entry.key);
		writeValue(sink, entry.value);
	}
	for (const TensorInfo& tensor : tensors) {
		sink.text(tensor.name);
		sink.value(tensor.dimensions);
		for (uint32_t d = 0; d < tensor.dimensions; ++d) sink.value(tensor.ne[d]);
		sink.value(uint32_t(tensor.type));
		sink.value(tensor.offset);
	}
}

Result<uint64_t> tensorBytes(const TensorInfo& tensor) {
	const auto row = typeBytes(tensor.type, tensor.ne[0]);
	auto bytes = row;
	for (uint32_t d = 1; d < 4 && bytes; ++d) bytes = checkedMul(*bytes, tensor.ne[d]);
	if (tensor.dimensions > 4 || !row || !bytes || *bytes > uint64_t(INT64_MAX))
		return fail(ErrorCode::kInvalidData, fmt::format("tensor {} cannot be stored as {}: its shape is no whole number of blocks, or too large",
		                                                 quote(tensor.name), typeName(tensor.type)));
	return *bytes;
}

}  // namespace

Result<GgufLayout> layOutGguf(const Metadata& metadata, std::vector<TensorInfo> tensors) {
	GgufLayout layout;
	if (const auto alignment = metadata.unsignedInt("general.alignment")) {
		if (*alignment > UINT32_MAX || !std::has_single_bit(*alignment))
			return fail(ErrorCode::kInvalidData, fmt::format("general.alignment is {}, which is no power of two", *alignment));
		layout.alignment = uint32_t(*alignment);
	}
	std::vector<std::string_view> names;
	uint64_t data_bytes = 0;
	for (TensorInfo& tensor : tensors) {
		if (tensor.name.empty() || tensor.name.size() > kMaxTensorNameBytes)
			return fail(ErrorCode::kInvalidData, fmt::format("tensor name {} is empty or longer than {} bytes", quote(tensor.name), kMaxTensorNameBytes));
		names.push_back(tensor.name);
		VKQ_TRY(tensor.bytes, tensorBytes(tensor));
		tensor.offset = data_bytes;
		const auto end = checkedAdd(data_bytes, tensor.bytes);
		if (!end || *end > uint64_t(INT64_MAX) - layout.alignment)
			return fail(ErrorCode::kInvalidData, fmt::format("tensor {} ends beyond any file", quote(tensor.name)));
		data_bytes = alignUp(*end, layout.alignment);
	}
	if (const auto repeated = firstRepeated(std::move(names)))
		return fail(ErrorCode::kInvalidData, fmt::format("tensor {} occurs twice", quote(*repeated)));
	Sink counter;
	writeHeader(counter, metadata, tensors);
	layout.header_bytes = alignUp(counter.size(), layout.alignment);
	layout.file_bytes = layout.header_bytes + data_bytes;
	layout.tensors = std::move(tensors);
	return layout;
}

std::vector<std::byte> ggufHeader(const Metadata& metadata, const GgufLayout& layout) {
	std::vector<std::byte> header(layout.header_bytes);
	Sink sink(header.data());
	writeHeader(sink, metadata, layout.tensors);
	assert(alignUp(sink.size(), layout.alignment) == header.size());
	return header;
}

Result<std::vector<GgufShard>> layOutShards(const std::filesystem::path& prefix, const Metadata& metadata, const std::vector<TensorInfo>& tensors,
                                            std::span<const uint32_t> shard_of) {
	assert(shard_of.size() == tensors.size());
	const uint64_t count = shard_of.empty() ? 1 : uint64_t(*std::max_element(shard_of.begin(), shard_of.end())) + 1;
	if (count > kMaxShards)
		return fail(ErrorCode::kUsage, fmt::format("{} would be split into {} files; {} are possible", prefix.string(), count, kMaxShards),
		            "allow larger files");
	std::vector<GgufShard> shards(count);
	std::vector<std::vector<TensorInfo>> shard_tensors(count);
	for (size_t i = 0; i < tensors.size(); ++i) {
		shards[shard_of[i]].tensors.push_back(i);
		shard_tensors[shard_of[i]].push_back(tensors[i]);
	}
	for (uint32_t number = 0; number < count; ++number) {
		GgufShard& shard = shards[number];
		shard.path = splitPath(prefix, number, uint32_t(count));
		if (number == 0) shard.metadata = metadata;
		shard.metadata.set("split.no", uint16_t(number));
		shard.metadata.set("split.count", uint16_t(count));
		shard.metadata.set("split.tensors.count", int32_t(tensors.size()));
		VKQ_TRY(shard.layout, layOutGguf(shard.metadata, std::move(shard_tensors[number])));
	}
	return shards;
}

std::vector<uint32_t> shardsBySize(std::span<const TensorInfo> tensors, uint64_t max_bytes, uint32_t alignment) {
	std::vector<uint32_t> shard_of;
	uint64_t filled = 0;
	uint32_t shard = 0;
	for (size_t i = 0; i < tensors.size(); ++i) {
		const auto bytes = tensorBytes(tensors[i]);
		const uint64_t padded = bytes.ok() ? alignUp(*bytes, alignment) : 0;   // layOutShards() names the tensor that has none
		if (i != 0 && (padded > max_bytes || filled > max_bytes - padded)) {
			++shard;
			filled = 0;
		}
		filled += padded;
		shard_of.push_back(shard);
	}
	return shard_of;
}

}  // namespace vkq
