#include "quantize/device_slot.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <cstring>

namespace vkq {

namespace {

/// Shaders read whole words, so a view reaches a little past the last row (kernels/encoder.h).
constexpr uint64_t kSlack = 16;

/// Makes `buffer` at least `bytes` large; its content is lost when it grows.
Result<void> grow(vk::Device& device, vk::Buffer& buffer, uint64_t bytes, vk::MemoryUse use) {
	if (buffer && buffer.bytes() >= bytes) return {};
	buffer = vk::Buffer();
	VKQ_TRY(buffer, vk::Buffer::create(device, alignUp(bytes, 1 << 16), use));
	return {};
}

/// Brings the pages in from this thread, where a lost one is noticed (ggufio/lost_pages.h): a driver's own threads block the signal.
/// In one call where the kernel has it (Linux 5.14): a fault a page takes a sixth of a fast format's time from the software device's
/// threads. It fails where a page is lost, and the touch then raises the signal.
void touchPages(const std::byte* bytes, uint64_t count) {
	constexpr uint64_t kSmallestPage = 4096;
#ifdef MADV_POPULATE_READ
	const auto page = uintptr_t(::sysconf(_SC_PAGESIZE));
	const auto first = reinterpret_cast<uintptr_t>(bytes) & ~(page - 1);
	if (::madvise(reinterpret_cast<void*>(first), reinterpret_cast<uintptr_t>(bytes) + count - first, MADV_POPULATE_READ) == 0) return;
#endif
	for (uint64_t at = 0; at < count; at += kSmallestPage) static_cast<void>(*static_cast<const volatile std::byte*>(bytes + at));
	if (count != 0) static_cast<void>(*static_cast<const volatile std::byte*>(bytes + count - 1));
}

}  // namespace

Result<const Encoder*> EncoderSet::get(TensorType to, TensorType from, bool importance, Search search) {
	const std::tuple key(to, from, importance, search);
	if (const auto found = encoders_.find(key); found != encoders_.end()) return static_cast<const Encoder*>(&found->second);
	VKQ_TRY(Encoder encoder, Encoder::create(device_, to, from, importance, search));
	return static_cast<const Encoder*>(&encoders_.emplace(key, std::move(encoder)).first->second);
}

Result<const Decoder*> DecoderSet::get(TensorType type) {
	if (const auto found = decoders_.find(type); found != decoders_.end()) return static_cast<const Decoder*>(&found->second);
	VKQ_TRY(Decoder decoder, Decoder::create(device_, type));
	return static_cast<const Decoder*>(&decoders_.emplace(type, std::move(decoder)).first->second);
}

Result<DeviceSlot> DeviceSlot::create(vk::Device& device) {
	VKQ_TRY(vk::CommandBuffer commands, vk::CommandBuffer::create(device));
	return DeviceSlot(device, std::move(commands));
}

bool DeviceSlot::tryImport(const RowBlock& source) {
	const uint64_t page = device_->limits().import_alignment;
	if (!unified() || page == 0) return false;
	const auto address = reinterpret_cast<uintptr_t>(source.bytes);
	const uintptr_t first = address & ~uintptr_t(page - 1);
	const uint64_t end = alignUp(address + source.rows * *typeBytes(source.type, source.row_elements), page);
	// Half-word starts would need two bytes behind the rows, which the mapping may not have.
	if (address % 4 != 0) return false;
	auto memory = vk::Memory::import(*device_, reinterpret_cast<void*>(first), end - first);
	if (!memory) return false;
	auto buffer = vk::Buffer::place(std::move(memory).value(), 0, end - first);
	if (!buffer) return false;
	imported_ = std::move(buffer).value();
	source_offset_ = address - first;
	return true;
}

Result<void> DeviceSlot::setSource(const RowBlock& source, bool may_import) {
	assert(!commands_.inFlight());
	source_ = source;
	imported_ = vk::Buffer();
	const uint64_t bytes = source.rows * *typeBytes(source.type, source.row_elements);
	if (may_import && tryImport(source)) {
		touchPages(source.bytes, bytes);
		return {};
	}
	VKQ_CHECK(grow(*device_, upload_, bytes + kSlack, vk::MemoryUse::Upload));
	std::memcpy(upload_.mapped(), source.bytes, bytes);
	source_offset_ = 0;
	return {};
}

Result<void> DeviceSlot::submit(std::span<const SlabEncoding> encodings, EncoderSet& encoders) {
	const uint64_t alignment = std::max<uint64_t>(device_->limits().storage_alignment, 16);
	const uint64_t source_bytes = source_.rows * *typeBytes(source_.type, source_.row_elements);
	parts_.clear();
	uint64_t output_bytes = 0, notes_bytes = 0, importance_bytes = 0;
	for (const SlabEncoding& encoding : encodings) {
		Part part;
		VKQ_TRY(part.encoder, encoders.get(encoding.to, source_.type, encoding.importance != nullptr, encoding.search));
		part.importance = encoding.importance;
		part.output_bytes = source_.rows * *typeBytes(encoding.to, source_.row_elements);
		part.output_offset = output_bytes;
		part.notes_offset = notes_bytes;
		part.importance_offset = importance_bytes;
		output_bytes = alignUp(output_bytes + part.output_bytes + kSlack, alignment);
		notes_bytes = alignUp(notes_bytes + part.encoder->notesBytes(uint32_t(source_.rows), uint32_t(source_.row_elements)), alignment);
		if (encoding.importance) importance_bytes = alignUp(importance_bytes + source_.row_elements * sizeof(float), alignment);
		parts_.push_back(part);
	}
	VKQ_CHECK(grow(*device_, download_, output_bytes, vk::MemoryUse::Download));
	VKQ_CHECK(grow(*device_, notes_, notes_bytes, vk::MemoryUse::Download));
	if (importance_bytes) VKQ_CHECK(grow(*device_, importance_, importance_bytes, vk::MemoryUse::Upload));
	for (const Part& part : parts_) {
		clearNotes(notes_.mapped() + part.notes_offset);
		if (part.importance) std::memcpy(importance_.mapped() + part.importance_offset, part.importance, source_.row_elements * sizeof(float));
	}

	VKQ_CHECK(commands_.begin());
	const vk::Buffer* from = imported() ? &imported_ : &upload_;
	const vk::Buffer* to = &download_;
	if (!unified()) {
		VKQ_CHECK(grow(*device_, device_source_, source_bytes + kSlack, vk::MemoryUse::Device));
		VKQ_CHECK(grow(*device_, device_output_, output_bytes, vk::MemoryUse::Device));
		commands_.copy(upload_, 0, device_source_, 0, source_bytes);
		commands_.barrier();
		from = &device_source_;
		to = &device_output_;
	}
	for (const Part& part : parts_) {
		EncodeSlab slab;
		slab.source = *from;
		slab.source_offset = source_offset_;
		slab.output = vk::BufferView(*to, part.output_offset, part.output_bytes + kSlack);
		slab.notes = vk::BufferView(notes_, part.notes_offset, part.encoder->notesBytes(uint32_t(source_.rows), uint32_t(source_.row_elements)));
		if (part.importance) slab.importance = vk::BufferView(importance_, part.importance_offset, source_.row_elements * sizeof(float));
		slab.rows = uint32_t(source_.rows);
		slab.row_elements = uint32_t(source_.row_elements);
		VKQ_CHECK(part.encoder->record(commands_, slab));
	}
	if (!unified()) {
		commands_.barrier();
		commands_.copy(device_output_, 0, download_, 0, output_bytes);
	}
	return commands_.submit();
}

Result<uint64_t> DeviceSlot::wait() {
	VKQ_CHECK(commands_.wait());
	uint64_t repaired = 0;
	for (const Part& part : parts_) {
		VKQ_TRY(const uint64_t blocks, part.encoder->repair(notes_.mapped() + part.notes_offset, source_.bytes, part.importance, uint32_t(source_.rows),
		                                                    uint32_t(source_.row_elements), download_.mapped() + part.output_offset));
		repaired += blocks;
	}
	return repaired;
}

Result<const float*> DeviceSlot::decode(size_t index, DecoderSet& decoders) {
	assert(!commands_.inFlight());
	const Part& part = parts_[index];
	VKQ_TRY(const Decoder* decoder, decoders.get(part.encoder->target()));
	const uint64_t elements = source_.rows * source_.row_elements;
	VKQ_CHECK(grow(*device_, decoded_, elements * sizeof(float), vk::MemoryUse::Download));
	DecodeSlab slab;
	slab.blocks = vk::BufferView(download_, part.output_offset, part.output_bytes + kSlack);   // as repaired: the host's view of it
	slab.output = decoded_;
	slab.elements = elements;
	VKQ_CHECK(commands_.begin());
	decoder->record(commands_, slab);
	VKQ_CHECK(commands_.submitAndWait());
	return reinterpret_cast<const float*>(decoded_.mapped());
}

Bytes DeviceSlot::encoded(size_t index) const { return {download_.mapped() + parts_[index].output_offset, parts_[index].output_bytes}; }

}  // namespace vkq
