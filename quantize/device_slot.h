// One slab in flight on the device: its source rows, its encoded rows, and the commands between.
//
// Where memory is unified nothing is copied: rows are read where they lie in the mapped file (host memory import), and written
// where the host picks them up. Elsewhere both pass through staging buffers, in the same submission.
#pragma once

#include "core/bytes.h"
#include "core/result.h"
#include "kernels/decoder.h"
#include "kernels/encoder.h"
#include "quantize/host_encoder.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

namespace vkq {

/// One distinct encoding of a slab.
struct SlabEncoding {
	TensorType to;
	const float* importance = nullptr;   // row_elements values, or null. Must stay until wait() has returned
	Search search = Search::kReference;
};

/// Encoders by what they encode, made at first use.
class EncoderSet {
public:
	explicit EncoderSet(vk::Device& device) : device_(device) {}
	Result<const Encoder*> get(TensorType to, TensorType from, bool importance, Search search);

private:
	vk::Device& device_;
	std::map<std::tuple<TensorType, TensorType, bool, Search>, Encoder> encoders_;
};

/// The same for decoders.
class DecoderSet {
public:
	explicit DecoderSet(vk::Device& device) : device_(device) {}
	Result<const Decoder*> get(TensorType type);

private:
	vk::Device& device_;
	std::map<TensorType, Decoder> decoders_;
};

class DeviceSlot {
public:
	static Result<DeviceSlot> create(vk::Device& device);

	/// Puts the rows where the device reads them: in place if `may_import` and the driver lets us, else by a copy.
	/// The rows must stay until wait() has returned.
	Result<void> setSource(const RowBlock& source, bool may_import);

	/// Records and submits all encodings of the source.
	Result<void> submit(std::span<const SlabEncoding> encodings, EncoderSet& encoders);

	/// Waits, then repairs what the device could not promise; returns how many blocks that were.
	/// kInvalidData when a source value is not finite or a scale does not fit.
	Result<uint64_t> wait();

	/// The bytes of encoding `index`, until the next setSource().
	Bytes encoded(size_t index) const;

	/// Decodes encoding `index` on the device, after wait(): rows * row_elements floats, until the next call.
	Result<const float*> decode(size_t index, DecoderSet& decoders);

	const RowBlock& source() const { return source_; }

	/// Whether the device reads the present source in place.
	bool imported() const { return bool(imported_); }

private:
	/// One encoding's places.
	struct Part {
		const Encoder* encoder = nullptr;
		const float* importance = nullptr;
		uint64_t output_offset = 0, output_bytes = 0;
		uint64_t notes_offset = 0;
		uint64_t importance_offset = 0;
	};

	explicit DeviceSlot(vk::Device& device, vk::CommandBuffer commands) : device_(&device), commands_(std::move(commands)) {}
	bool tryImport(const RowBlock& source);
	bool unified() const { return device_->features().unified_memory; }

	vk::Device* device_;
	RowBlock source_{};
	vk::Buffer upload_, imported_, notes_, importance_, download_, decoded_;
	vk::Buffer device_source_, device_output_;   // only where memory is not unified
	uint64_t source_offset_ = 0;                 // of the rows in what the device reads
	std::vector<Part> parts_;
	vk::CommandBuffer commands_;                 // destroyed first: it waits for what it uses
};

}  // namespace vkq
