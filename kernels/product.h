// Matrix products on the device: y[v][row] = sum over k of W[row][k] * x[v][k] for one vector, a few (speculation, small batches) or
// many (prompts), W of any type that quant/codec.h knows, in device layout; and the same where each vector picks its matrix out
// of many (mixture of experts), the choice lying in device memory.
//
// Two arithmetics:
//   floats        x is F32; W is decoded to exactly the floats of quant/codec.h; sums in single precision. For every type.
//   8 bits        x was quantized to 8 bits per 32 (quantizeActivations); products of integers are exact, scales in single precision.
//                 For block-coded types only, as every CPU implementation does; several times faster on software devices. The error is that
//                 of the activations: at most max|x of the block of 32| / 254 an element.
// Functions only record: barriers between producer and consumer are the caller's.
#pragma once

#include "core/result.h"
#include "kernels/variant.h"
#include "quant/activation_rounding.h"
#include "quant/format.h"
#include "vk/commands.h"
#include "vk/device.h"
#include "vk/memory.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkq {

/// A device and how its kernels are cut.
struct Kernels {
	vk::Device* device = nullptr;
	Variant variant;

	/// Variant as measureVariant().
	static Result<Kernels> create(vk::Device& device, std::string_view variant = {});
};

/// A run of a matrix's rows in device layout: a Placement of the plan. A piece is one or more whole experts, or rows of one expert.
struct MatrixPiece {
	vk::BufferView view;             // deviceLayout(type, columns, count, variant.interleave).bytes
	uint64_t first = 0, count = 0;   // rows, counted through all experts
};

struct Matrix {
	TensorType type = TensorType::F32;
	uint32_t columns = 0;            // elements of a row: of x
	uint32_t rows = 0;               // of one expert: elements of y
	uint32_t experts = 1;
	std::vector<MatrixPiece> pieces; // all rows in order
};

/// Vectors in device memory. F32 vectors lie `stride` elements apart (0: packed). Quantized vectors are packed.
struct Vectors {
	vk::BufferView view;
	uint32_t stride = 0;
	bool quantized = false;
};

/// Whether the 8-bit arithmetic exists for a type. Where it is the faster one, variant.integer_inputs is set.
bool hasIntegerProduct(TensorType type);

/// Whether the variant's products of so many vectors with a matrix of this type are meant to have their inputs in 8 bits.
bool usesIntegerProduct(const Kernels& kernels, TensorType type, uint32_t count);

/// Records x [count][columns] F32 -> 8 bits, as the variant's products read them; `to` takes quantizedActivationBytes(columns, count). columns: a multiple of 32.
Result<void> quantizeActivations(const Kernels& kernels, vk::CommandBuffer& commands, const Vectors& x, uint32_t columns, uint32_t count, const vk::BufferView& to);
/// The same where no variant is at hand: `packed_bytes` is Variant::dot.
Result<void> quantizeActivations(vk::Device& device, vk::CommandBuffer& commands, const Vectors& x, uint32_t columns, uint32_t count, const vk::BufferView& to, bool packed_bytes);

/// Records x [count][columns] F32 -> `to`, F32 [count][columns], rounded as the reference rounds inputs of such weights. columns: a multiple of
/// roundingBlock(). `rounding` is not None.
Result<void> roundActivations(const Kernels& kernels, vk::CommandBuffer& commands, ActivationRounding rounding, const Vectors& x, uint32_t columns, uint32_t count,
                              const vk::BufferView& to);

/// y = W x, or y += W x if `accumulate`.
struct Product {
	const Matrix* matrix;
	Vectors y;
	bool accumulate = false;
};

/// Records a product for `count` vectors.
Result<void> multiply(const Kernels& kernels, vk::CommandBuffer& commands, const Product& product, const Vectors& x, uint32_t count);

/// Records several products of the same vectors. Up to three whole matrices of one type share a dispatch where one binding can see their weights and another
/// their outputs (y.stride 0): those of a layer do.
Result<void> multiply(const Kernels& kernels, vk::CommandBuffer& commands, std::span<const Product> products, const Vectors& x, uint32_t count);

/// Which expert each slot goes to; slot = token * places + place.
struct ExpertRouting {
	vk::BufferView chosen;           // u32 [tokens * places]: the expert
	vk::BufferView lists;            // u32 [experts][1 + tokens], by groupExperts(); not read for few tokens
	uint32_t tokens = 0;
	uint32_t places = 1;             // experts a token
};

/// Whether multiplyExperts() will read the lists for so many tokens: groupExperts() must run before.
bool needsExpertLists(uint32_t tokens);

/// Records chosen -> lists: for each expert the number of its slots, then the slots, ascending. A token may not choose an expert twice.
Result<void> groupExperts(const Kernels& kernels, vk::CommandBuffer& commands, const ExpertRouting& routing, uint32_t experts);

/// Records y[slot] = W[chosen[slot]] x[slot / slots_per_x] for each product: slots_per_x is `places` where a token's slots share an input, 1 where each
/// has its own. Dispatches are shared as multiply() does.
Result<void> multiplyExperts(const Kernels& kernels, vk::CommandBuffer& commands, const Product& product, const ExpertRouting& routing, const Vectors& x, uint32_t slots_per_x);
Result<void> multiplyExperts(const Kernels& kernels, vk::CommandBuffer& commands, std::span<const Product> products, const ExpertRouting& routing, const Vectors& x,
                             uint32_t slots_per_x);

}  // namespace vkq
