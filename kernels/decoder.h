// Decodes blocks of a quantized type to floats on a device: the values that decodeRow() of quant/codec.h gives, bit for bit
// (but for subnormal results on devices that flush them to zero).
#pragma once

#include "core/result.h"
#include "quant/format.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <cstdint>

namespace vkq {

/// Blocks that lie behind one another. Offsets are into the views, in bytes.
struct DecodeSlab {
	vk::BufferView blocks;          // must reach to the end of the 32-bit word that the last block ends in
	uint64_t blocks_offset = 0;     // a multiple of 2; any for MXFP4, whose blocks have an odd size
	vk::BufferView output;
	uint64_t output_offset = 0;     // a multiple of 4
	uint64_t elements = 0;          // whole blocks
};

class Decoder {
public:
	static bool supports(TensorType type);
	/// The pipeline is made here. The device must outlive the decoder.
	static Result<Decoder> create(vk::Device& device, TensorType type);

	TensorType type() const { return type_; }
	/// The most elements of a slab: what one storage binding can see of the floats.
	uint64_t maxElements() const;
	/// Records one dispatch. What was recorded before and writes the blocks needs a barrier in between.
	void record(vk::CommandBuffer& commands, const DecodeSlab& slab) const;

private:
	Decoder(vk::Device& device, TensorType type, const vk::Pipeline& pipeline) : device_(&device), type_(type), pipeline_(&pipeline) {}
	vk::Device* device_;
	TensorType type_;
	const vk::Pipeline* pipeline_;
};

}  // namespace vkq
