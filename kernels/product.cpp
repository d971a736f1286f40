#include "kernels/product.h"

#include "core/bytes.h"
#include "kernels/device_layout.h"
#include "shaders/shared/product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace vkq {

namespace {

constexpr uint32_t kFewVectors = 8;   // as many columns as product.comp sums at once
constexpr uint32_t kSlotTokens = 8;   // up to so many tokens each slot is a product of its own

/// How a product is cut: its shader, and what a workgroup does of y.
struct Cut {
	ShaderId shader{};
	uint32_t rows = 0, columns = 0;                        // of a workgroup
	uint32_t lane_rows = 1, lane_columns = 1;              // of a lane (product.comp)
};

uint32_t inputStride(const Variant& variant, const Matrix& matrix, const Vectors& x) {
	if (x.quantized) return matrix.columns / 32 * (variant.dot ? VKQ_ACTIVATION_BYTES_WORDS : VKQ_ACTIVATION_WORDS);
	return x.stride ? x.stride : matrix.columns;
}

/// Whether the variant's whole-vector loads can be used: a group of rows must not straddle two experts, rows must be whole blocks of 32, and
/// inputs must lie at multiples of 4 floats.
bool streams(const Variant& variant, const Matrix& matrix, const Vectors& x, uint32_t count) {
	return variant.stream && matrix.columns % 32 == 0 && (matrix.experts == 1 || matrix.rows % variant.interleave == 0) && (count == 1 || inputStride(variant, matrix, x) % 4 == 0);
}

/// Measured on lavapipe (docs/kernels.md): more rows a lane share the loads of x, until registers run out or too few workgroups are left.
Cut chooseCut(const Kernels& kernels, const Matrix& matrix, const Vectors& x, uint32_t count) {
	const Variant& variant = kernels.variant;
	const bool integer = x.quantized, table = deviceCoding(matrix.type).table != VKQ_TABLE_NONE;
	if (variant.tiled && !integer && count > kFewVectors) {
		const bool cooperative = variant.cooperative && typeInfo(matrix.type).quantized;
		return {cooperative ? ShaderId::product_cooperative : ShaderId::product_tiled, VKQ_TILED_ROWS, VKQ_TILED_COLUMNS};
	}
	Cut cut;
	if (streams(variant, matrix, x, count)) cut.shader = integer ? ShaderId::product_stream_integer : ShaderId::product_stream;
	else if (integer) cut.shader = variant.dot ? ShaderId::product_dot : ShaderId::product_integer;
	else cut.shader = ShaderId::product;
	cut.lane_columns = count >= 5 ? 8 : count >= 3 ? 4 : count;
	// Tables are long code: eight rows of it take the driver's compiler seconds.
	if (variant.slices == 1) cut.lane_rows = cut.lane_columns == 1 && integer && !table && matrix.rows >= 2048 ? 8 : 4;
	cut.rows = variant.interleave * cut.lane_rows;
	cut.columns = cut.lane_columns;
	return cut;
}

Result<const vk::Pipeline*> productPipeline(const Kernels& kernels, TensorType type, const Cut& cut) {
	const Variant& variant = kernels.variant;
	const DeviceCoding coding = deviceCoding(type);
	const bool cooperative = cut.shader == ShaderId::product_cooperative, tiled = cooperative || cut.shader == ShaderId::product_tiled;
	const vk::DeviceLimits& limits = kernels.device->limits();
	vk::PipelineSpec spec;
	spec.shader = cut.shader;
	spec.constants = {tiled ? VKQ_TILED_LANES : variant.interleave, variant.slices, cut.lane_rows, cut.lane_columns, variant.interleave, variant.broadcast, variant.unit,
	                  coding.codes, coding.scales, coding.offset, coding.table};
	// A subgroup must not span slices, which hold different inputs.
	if (!tiled && variant.broadcast && variant.slices > 1 && limits.max_subgroup > variant.interleave) spec.subgroup = variant.interleave;
	if (cooperative) {
		const vk::CooperativeMatrixShape* shape = cooperativeShape(kernels.device->info());
		assert(shape);
		spec.constants.insert(spec.constants.end(), {shape->m, shape->n, shape->k, VKQ_TILED_LANES / limits.subgroup});
		if (kernels.device->features().subgroup_size_control) spec.subgroup = limits.subgroup;
	}
	return kernels.device->pipeline(spec);
}

/// The part of the push constants that is the same for all pieces.
shader::ProductPush describe(const Kernels& kernels, const Matrix& matrix, const Vectors& x, const Vectors& y) {
	shader::ProductPush push{};
	push.columns = matrix.columns;
	push.x_address[0] = uint32_t(x.view.address);
	push.x_address[1] = uint32_t(x.view.address >> 32);
	push.x_stride = inputStride(kernels.variant, matrix, x);
	push.y_stride = y.stride ? y.stride : matrix.rows;
	push.rows = matrix.rows;
	push.slots_per_x = 1;
	return push;
}

Result<void> describePiece(const Kernels& kernels, const Matrix& matrix, const MatrixPiece& piece, shader::ProductPush& push) {
	const auto layout = deviceLayout(matrix.type, matrix.columns, piece.count, kernels.variant.interleave);
	assert(layout);
	if (!layout || layout->bytes > kernels.device->limits().storage_range)
		return fail(ErrorCode::kUnsupported, fmt::format("{} rows of {} elements of type {} exceed what device '{}' can bind", piece.count, matrix.columns,
		                                                 typeName(matrix.type), kernels.device->info().name));
	push.weights_address[0] = uint32_t(piece.view.address);
	push.weights_address[1] = uint32_t(piece.view.address >> 32);
	push.piece_first = uint32_t(piece.first);
	push.piece_rows = uint32_t(piece.count);
	push.high_word = uint32_t(layout->plane_offset[1] / 4);
	push.scale_word = uint32_t(layout->plane_offset[2] / 4);
	push.super_word = uint32_t(layout->plane_offset[3] / 4);
	push.row_words = uint32_t(layout->row_words[0]);
	push.row_high_words = uint32_t(layout->row_words[1]);
	push.row_scale_words = uint32_t(layout->row_words[2]);
	push.row_super_words = uint32_t(layout->row_words[3]);
	return {};
}

Result<void> checkArguments(const Matrix& matrix, [[maybe_unused]] const Vectors& x) {
	assert(!x.quantized || hasIntegerProduct(matrix.type));
	if (uint64_t(matrix.rows) * matrix.experts > UINT32_MAX)
		return fail(ErrorCode::kUnsupported, fmt::format("a matrix of {} experts of {} rows has more rows than the kernels can count", matrix.experts, matrix.rows));
	return {};
}

}  // namespace

Result<Kernels> Kernels::create(vk::Device& device, std::string_view variant) {
	VKQ_TRY(const Variant chosen, measureVariant(device, variant));
	return Kernels{&device, chosen};
}

bool hasIntegerProduct(TensorType type) { return typeInfo(type).quantized; }

bool usesIntegerProduct(const Kernels& kernels, TensorType type, uint32_t count) {
	return kernels.variant.integer_inputs && hasIntegerProduct(type) && (!kernels.variant.dot || count <= kFewVectors);
}

Result<void> quantizeActivations(const Kernels& kernels, vk::CommandBuffer& commands, const Vectors& x, uint32_t columns, uint32_t count, const vk::BufferView& to) {
	assert(columns % 32 == 0 && !x.quantized);
	constexpr uint32_t kLanes = 32;
	VKQ_TRY(const vk::Pipeline* pipeline, kernels.device->pipeline({.shader = ShaderId::quantize_activations, .constants = {kLanes, 1, 1, kernels.variant.dot}}));
	const shader::QuantizeActivationsPush push{columns / 32, count, x.stride ? x.stride : columns};
	commands.dispatch(*pipeline, {x.view, to}, push, {uint32_t(divideUp(push.blocks, kLanes)), count});
	return {};
}

Result<void> roundActivations(const Kernels& kernels, vk::CommandBuffer& commands, ActivationRounding rounding, const Vectors& x, uint32_t columns, uint32_t count,
                              const vk::BufferView& to) {
	const uint32_t block = roundingBlock(rounding);
	assert(columns % block == 0 && !x.quantized && rounding != ActivationRounding::None);
	constexpr uint32_t kLanes = 32;
	const uint32_t kind = rounding == ActivationRounding::Half ? VKQ_ROUND_HALF : rounding == ActivationRounding::Bfloat ? VKQ_ROUND_BFLOAT : VKQ_ROUND_BITS8;
	const bool half_scale = rounding == ActivationRounding::Bits8Per32;
	VKQ_TRY(const vk::Pipeline* pipeline, kernels.device->pipeline({.shader = ShaderId::round_activations, .constants = {kLanes, 1, 1, kind, block, half_scale}}));
	const shader::RoundActivationsPush push{columns, count, x.stride ? x.stride : columns};
	commands.dispatch(*pipeline, {x.view, to}, push, {uint32_t(divideUp(columns / block, kLanes)), count});
	return {};
}

Result<void> multiply(const Kernels& kernels, vk::CommandBuffer& commands, const Matrix& matrix, const Vectors& x, uint32_t count, const Vectors& y, bool accumulate) {
	assert(matrix.experts == 1 && count > 0);
	VKQ_CHECK(checkArguments(matrix, x));
	const Cut cut = chooseCut(kernels, matrix, x, count);
	VKQ_TRY(const vk::Pipeline* pipeline, productPipeline(kernels, matrix.type, cut));
	shader::ProductPush push = describe(kernels, matrix, x, y);
	push.count = count;
	push.accumulate = accumulate;
	for (const MatrixPiece& piece : matrix.pieces) {
		VKQ_CHECK(describePiece(kernels, matrix, piece, push));
		push.first_row = uint32_t(piece.first);
		const uint64_t groups = divideUp(piece.count, cut.rows);
		commands.dispatch(*pipeline, {piece.view, x.view, y.view, x.view}, push, {uint32_t(groups), uint32_t(divideUp(count, cut.columns))});
	}
	return {};
}

bool needsExpertLists(uint32_t tokens) { return tokens > kSlotTokens; }

Result<void> groupExperts(const Kernels& kernels, vk::CommandBuffer& commands, const ExpertRouting& routing, uint32_t experts) {
	constexpr uint32_t kLanes = 32;
	VKQ_TRY(const vk::Pipeline* pipeline, kernels.device->pipeline({.shader = ShaderId::group_experts, .constants = {kLanes}}));
	const shader::GroupExpertsPush push{routing.tokens * routing.places, experts, 1 + routing.tokens};
	commands.dispatch(*pipeline, {routing.chosen, routing.lists}, push, {uint32_t(divideUp(experts, kLanes))});
	return {};
}

Result<void> multiplyExperts(const Kernels& kernels, vk::CommandBuffer& commands, const Matrix& matrix, const ExpertRouting& routing, const Vectors& x,
                             uint32_t slots_per_x, const Vectors& y) {
	assert(routing.tokens > 0 && slots_per_x > 0);
	VKQ_CHECK(checkArguments(matrix, x));
	const bool lists = needsExpertLists(routing.tokens);
	const uint32_t slots = routing.tokens * routing.places;
	const Cut cut = chooseCut(kernels, matrix, x, lists ? routing.tokens : 1);
	VKQ_TRY(const vk::Pipeline* pipeline, productPipeline(kernels, matrix.type, cut));
	shader::ProductPush push = describe(kernels, matrix, x, y);
	push.count = slots;
	push.routing = lists ? VKQ_ROUTE_LISTS : VKQ_ROUTE_SLOTS;
	push.slots_per_x = slots_per_x;
	push.list_stride = 1 + routing.tokens;
	for (const MatrixPiece& piece : matrix.pieces) {
		VKQ_CHECK(describePiece(kernels, matrix, piece, push));
		const bool whole_experts = piece.count >= matrix.rows;
		push.first_row = whole_experts ? 0 : uint32_t(piece.first % matrix.rows);
		const uint64_t rows = whole_experts ? matrix.rows : piece.count;
		const vk::Groups groups{uint32_t(divideUp(rows, cut.rows)), lists ? uint32_t(divideUp(routing.tokens, cut.columns)) : 1,
		                        lists ? matrix.experts : slots};
		commands.dispatch(*pipeline, {piece.view, x.view, y.view, lists ? routing.lists : routing.chosen}, push, groups);
	}
	return {};
}

}  // namespace vkq
