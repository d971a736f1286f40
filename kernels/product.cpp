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

/// `rows`: of all matrices of the dispatch. Measured on lavapipe (docs/kernels.md): more rows a lane share the loads of x, until registers run out or too few
/// workgroups are left.
Cut chooseCut(const Kernels& kernels, const Matrix& matrix, uint64_t rows, const Vectors& x, uint32_t count) {
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
	if (variant.slices == 1) cut.lane_rows = cut.lane_columns == 1 && integer && !table && rows >= 2048 ? 8 : 4;
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

constexpr size_t kMostMatrices = 3;   // of a dispatch: as shader::ProductPush has

Result<void> checkArguments(const Kernels& kernels, const Matrix& matrix, [[maybe_unused]] const Vectors& x) {
	assert(!x.quantized || hasIntegerProduct(matrix.type));
	if (uint64_t(matrix.rows) * matrix.experts > UINT32_MAX)
		return fail(ErrorCode::kUnsupported, fmt::format("a matrix of {} experts of {} rows has more rows than the kernels can count", matrix.experts, matrix.rows));
	for (const MatrixPiece& piece : matrix.pieces) {
		const auto layout = deviceLayout(matrix.type, matrix.columns, piece.count, kernels.variant.interleave);
		assert(layout);
		if (!layout || layout->bytes > kernels.device->limits().storage_range)
			return fail(ErrorCode::kUnsupported, fmt::format("{} rows of {} elements of type {} exceed what device '{}' can bind", piece.count, matrix.columns,
			                                                 typeName(matrix.type), kernels.device->info().name));
	}
	return {};
}

/// What one binding must see to see both views, which are of one buffer.
vk::BufferView covering(const vk::BufferView& a, const vk::BufferView& b) {
	vk::BufferView both = a.offset <= b.offset ? a : b;
	both.bytes = std::max(a.offset + a.bytes, b.offset + b.bytes) - both.offset;
	return both;
}

/// Whether the two may share a dispatch.
bool joins(const Kernels& kernels, const Product& a, const Product& b) {
	const Matrix &first = *a.matrix, &second = *b.matrix;
	if (first.type != second.type || first.columns != second.columns || first.experts != second.experts || a.accumulate != b.accumulate) return false;
	if (first.experts > 1 && first.rows != second.rows) return false;
	if (first.pieces.size() != 1 || second.pieces.size() != 1 || a.y.stride || b.y.stride) return false;
	const vk::BufferView weights[] = {first.pieces[0].view, second.pieces[0].view}, outputs[] = {a.y.view, b.y.view};
	if (weights[0].buffer != weights[1].buffer || outputs[0].buffer != outputs[1].buffer) return false;
	if (std::max({weights[0].bytes, weights[1].bytes, outputs[0].bytes, outputs[1].bytes}) == VK_WHOLE_SIZE) return false;
	// Whole-vector loads count in groups of words.
	return weights[0].offset % (kernels.variant.interleave * 4) == weights[1].offset % (kernels.variant.interleave * 4);
}

/// Matrices that share a dispatch: one, or several that join one another and that one binding can see.
struct Group {
	std::vector<const Product*> members;

	uint64_t rows() const {
		uint64_t sum = 0;
		for (const Product* member : members) sum += member->matrix->rows;
		return sum;
	}
	vk::BufferView weights() const {
		vk::BufferView all = members[0]->matrix->pieces[0].view;
		for (const Product* member : members) all = covering(all, member->matrix->pieces[0].view);
		return all;
	}
	vk::BufferView outputs() const {
		vk::BufferView all = members[0]->y.view;
		for (const Product* member : members) all = covering(all, member->y.view);
		return all;
	}
};

std::vector<Group> groupsOf(const Kernels& kernels, std::span<const Product> products) {
	const uint64_t range = kernels.device->limits().storage_range;
	std::vector<Group> groups;
	for (const Product& product : products) {
		bool placed = false;
		for (Group& group : groups) {
			if (group.members.size() == kMostMatrices || !joins(kernels, *group.members[0], product)) continue;
			Group grown = group;
			grown.members.push_back(&product);
			if (grown.weights().bytes > range || grown.outputs().bytes > range) continue;
			group = std::move(grown);
			placed = true;
			break;
		}
		if (!placed) groups.push_back({{&product}});
	}
	return groups;
}

void setAddress(uint32_t (&words)[2], const vk::BufferView& view) {
	words[0] = uint32_t(view.address);
	words[1] = uint32_t(view.address >> 32);
}

/// The push constants but for where the work is: what the first matrix has in common with all of its group, and how much there is.
shader::ProductPush describe(const Kernels& kernels, const Product& product, const Vectors& x, uint32_t count) {
	const Matrix& matrix = *product.matrix;
	const DeviceLayout layout = deviceLayout(matrix.type, matrix.columns, 1, kernels.variant.interleave).value();
	shader::ProductPush push{};
	push.columns = matrix.columns;
	push.rows = matrix.rows;
	setAddress(push.x_address, x.view);
	push.x_stride = inputStride(kernels.variant, matrix, x);
	push.y_stride = product.y.stride ? product.y.stride : matrix.rows;
	push.row_words = uint32_t(layout.row_words[0]);
	push.row_high_words = uint32_t(layout.row_words[1]);
	push.row_scale_words = uint32_t(layout.row_words[2]);
	push.row_super_words = uint32_t(layout.row_words[3]);
	push.count = count;
	push.accumulate = product.accumulate;
	push.slots_per_x = 1;
	push.second.first_group = push.third.first_group = UINT32_MAX;
	return push;
}

/// Records a group's dispatches: one, or one for each piece of a matrix in pieces. `groups`: y and z of the grid; `routing`: what binding 3 is.
Result<void> dispatchGroup(const Kernels& kernels, vk::CommandBuffer& commands, const Group& group, const Vectors& x, shader::ProductPush push, const Cut& cut,
                           vk::Groups groups, const vk::BufferView& routing) {
	VKQ_TRY(const vk::Pipeline* pipeline, productPipeline(kernels, group.members[0]->matrix->type, cut));
	if (group.members.size() == 1) {
		const Product& product = *group.members[0];
		const uint32_t rows = product.matrix->rows;
		for (const MatrixPiece& piece : product.matrix->pieces) {
			const bool whole_experts = piece.count >= rows;
			push.piece_first = uint32_t(piece.first);
			push.piece_rows = uint32_t(piece.count);
			push.first_row = whole_experts ? 0 : uint32_t(piece.first % rows);
			setAddress(push.weights_address, piece.view);
			groups.x = uint32_t(divideUp(whole_experts ? rows : piece.count, cut.rows));
			commands.dispatch(*pipeline, {piece.view, x.view, product.y.view, routing}, push, groups);
		}
		return {};
	}
	const vk::BufferView weights = group.weights(), outputs = group.outputs();
	setAddress(push.weights_address, weights);
	shader::ProductPart parts[kMostMatrices];
	for (shader::ProductPart& part : parts) part.first_group = UINT32_MAX;
	groups.x = 0;
	for (size_t i = 0; i < group.members.size(); ++i) {
		const Product& product = *group.members[i];
		const MatrixPiece& piece = product.matrix->pieces[0];
		parts[i] = {groups.x, product.matrix->rows, uint32_t(piece.count), uint32_t((piece.view.offset - weights.offset) / 4), uint32_t((product.y.view.offset - outputs.offset) / 4)};
		groups.x += uint32_t(divideUp(product.matrix->rows, cut.rows));
	}
	push.piece_rows = parts[0].piece_rows;
	push.weights_word = parts[0].weights_word;
	push.y_word = parts[0].y_word;
	push.second = parts[1];
	push.third = parts[2];
	commands.dispatch(*pipeline, {weights, x.view, outputs, routing}, push, groups);
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
	return quantizeActivations(*kernels.device, commands, x, columns, count, to, kernels.variant.dot);
}

Result<void> quantizeActivations(vk::Device& device, vk::CommandBuffer& commands, const Vectors& x, uint32_t columns, uint32_t count, const vk::BufferView& to, bool packed_bytes) {
	assert(columns % 32 == 0 && !x.quantized);
	constexpr uint32_t kLanes = 32;
	const uint32_t outputs = VKQ_OUTPUT_8BITS | (packed_bytes ? VKQ_OUTPUT_BYTES : 0);
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({.shader = ShaderId::quantize_activations, .constants = {kLanes, 1, 1, outputs}}));
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

Result<void> multiply(const Kernels& kernels, vk::CommandBuffer& commands, const Product& product, const Vectors& x, uint32_t count) {
	return multiply(kernels, commands, std::span(&product, 1), x, count);
}

Result<void> multiply(const Kernels& kernels, vk::CommandBuffer& commands, std::span<const Product> products, const Vectors& x, uint32_t count) {
	assert(count > 0);
	for (const Product& product : products) {
		assert(product.matrix->experts == 1);
		VKQ_CHECK(checkArguments(kernels, *product.matrix, x));
	}
	for (const Group& group : groupsOf(kernels, products)) {
		const Product& first = *group.members[0];
		const Cut cut = chooseCut(kernels, *first.matrix, group.rows(), x, count);
		VKQ_CHECK(dispatchGroup(kernels, commands, group, x, describe(kernels, first, x, count), cut, {1, uint32_t(divideUp(count, cut.columns)), 1}, x.view));
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

Result<void> multiplyExperts(const Kernels& kernels, vk::CommandBuffer& commands, const Product& product, const ExpertRouting& routing, const Vectors& x, uint32_t slots_per_x) {
	return multiplyExperts(kernels, commands, std::span(&product, 1), routing, x, slots_per_x);
}

Result<void> multiplyExperts(const Kernels& kernels, vk::CommandBuffer& commands, std::span<const Product> products, const ExpertRouting& routing, const Vectors& x,
                             uint32_t slots_per_x) {
	assert(routing.tokens > 0 && slots_per_x > 0);
	for (const Product& product : products) VKQ_CHECK(checkArguments(kernels, *product.matrix, x));
	const bool lists = needsExpertLists(routing.tokens);
	const uint32_t slots = routing.tokens * routing.places;
	for (const Group& group : groupsOf(kernels, products)) {
		const Product& first = *group.members[0];
		const Cut cut = chooseCut(kernels, *first.matrix, group.rows(), x, lists ? routing.tokens : 1);
		shader::ProductPush push = describe(kernels, first, x, slots);
		push.routing = lists ? VKQ_ROUTE_LISTS : VKQ_ROUTE_SLOTS;
		push.slots_per_x = slots_per_x;
		push.list_stride = 1 + routing.tokens;
		const vk::Groups groups{1, lists ? uint32_t(divideUp(routing.tokens, cut.columns)) : 1, lists ? first.matrix->experts : slots};
		VKQ_CHECK(dispatchGroup(kernels, commands, group, x, push, cut, groups, lists ? routing.lists : routing.chosen));
	}
	return {};
}

}  // namespace vkq
