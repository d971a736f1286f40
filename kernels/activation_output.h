// Where a kernel puts what products will read: floats, 8 bits per 32 (the bytes that quantizeActivations() would make of them), or both.
// Writing 8 bits at once saves a pass over memory and a dispatch.
#pragma once

#include "shaders/shared/product.h"
#include "vk/memory.h"

#include <cstdint>

namespace vkq {

struct ActivationOutput {
	vk::BufferView floats;         // f32 [rows][columns]; room that may be used even where they are not wanted
	vk::BufferView quantized;      // quantizedActivationBytes(columns, rows), columns a multiple of 32; null: not wanted
	bool packed_bytes = false;     // 8 bits as variants with packed products (Variant::dot) read them
	bool floats_wanted = true;

	/// The shaders' kOutputs.
	uint32_t constant() const {
		return (floats_wanted ? VKQ_OUTPUT_FLOATS : 0) | (quantized.buffer ? VKQ_OUTPUT_8BITS : 0) | (packed_bytes ? VKQ_OUTPUT_BYTES : 0);
	}
	/// What a shader's binding for the 8 bits takes: that, or a view that is not used.
	const vk::BufferView& quantizedOr(const vk::BufferView& other) const { return quantized.buffer ? quantized : other; }
};

}  // namespace vkq
