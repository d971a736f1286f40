// Encodes rows of weights on a device: F32, F16 or BF16 in, blocks of a quantized type out, byte for byte what encodeRow() of
// quant/codec.h gives.
//
// A device may compute a few blocks otherwise (single-precision subnormals flushed to zero, searches that leave the range in which
// their rounding is defined). The shader notices these, writes a note, and repair() encodes them on the host: identity is a
// promise, not luck. The same notes tell of weights that are not finite and of scales that do not fit a half.
//
//   auto encoder = Encoder::create(device, TensorType::Q4_K, TensorType::F16, false);
//   clearNotes(notes.mapped());
//   encoder->record(commands, slab);           // slabs of at most maxRows() rows; any number may be in flight, each with its notes
//   commands.submitAndWait();
//   encoder->repair(...);                      // on the mapped source and output; leaves the notes cleared
#pragma once

#include "core/result.h"
#include "quant/format.h"
#include "quant/search.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <cstddef>
#include <cstdint>

namespace vkq {

/// Whole rows, which lie behind one another in source and output. Offsets are into the views, in bytes.
struct EncodeSlab {
	vk::BufferView source;
	uint64_t source_offset = 0;       // a multiple of the source element's size. At an odd multiple of 2 the view must reach 2 bytes past the rows
	vk::BufferView output;
	uint64_t output_offset = 0;       // a multiple of Encoder::outputAlignment()
	vk::BufferView notes;             // Encoder::notesBytes() bytes, host-visible, cleared by clearNotes() before the submit
	vk::BufferView importance;        // row_elements floats, for encoders made with importance
	uint64_t importance_offset = 0;   // a multiple of 4
	uint32_t rows = 0;
	uint32_t row_elements = 0;        // a multiple of the type's block
};

/// Makes notes empty, as they must be before a slab is submitted.
void clearNotes(std::byte* notes);

class Encoder {
public:
	/// Whether there are shaders for this pair.
	static bool supports(TensorType target, TensorType source, Search search = Search::kReference);

	/// `importance`: slabs bring importance; only for types with usesImportance(). For kBest of a type without hasBestSearch() it is
	/// the reference's encoder. The pipeline is made here, and devices whose
	/// driver is not one that the tests run on (hardware) must pass selfTest(). The device must outlive the encoder.
	static Result<Encoder> create(vk::Device& device, TensorType target, TensorType source, bool importance, Search search = Search::kReference);

	TensorType target() const { return target_; }
	TensorType source() const { return source_; }
	bool importance() const { return importance_; }
	Search search() const { return search_; }

	/// Of output_offset, bytes: 4, 2 or 1 by the type's block.
	uint32_t outputAlignment() const;
	/// Of the notes of a slab.
	uint64_t notesBytes(uint32_t rows, uint32_t row_elements) const;
	/// The most rows of a slab: what one storage binding can see of source and output.
	uint32_t maxRows(uint32_t row_elements) const;

	/// Records the dispatches of a slab. What was recorded before and writes the source needs a barrier in between.
	Result<void> record(vk::CommandBuffer& commands, const EncodeSlab& slab) const;

	/// After a slab is done: encodes on the host what the notes name, and clears them. `source` points to the slab's first weight,
	/// `output` to its first block, `importance` to row_elements floats or is null. Returns how many blocks were encoded here.
	/// kInvalidData, naming row and column within the slab, when a weight is not finite or a block's scale does not fit.
	Result<uint64_t> repair(std::byte* notes, const std::byte* source, const float* importance, uint32_t rows, uint32_t row_elements, std::byte* output) const;

	/// Encodes a few rows on the device and compares with the host: kUnsupported when a device's arithmetic gives other bytes.
	Result<void> selfTest() const;

private:
	Encoder(vk::Device& device, TensorType target, TensorType source, bool importance, Search search)
		: device_(&device), target_(target), source_(source), importance_(importance), search_(search) {}
	ShaderId shader() const;
	Result<const vk::Pipeline*> pipeline(ShaderId shader, bool odd_source) const;

	vk::Device* device_;
	TensorType target_, source_;
	bool importance_;
	Search search_;
};

}  // namespace vkq
