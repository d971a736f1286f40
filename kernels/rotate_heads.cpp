#include "kernels/rotate_heads.h"

#include "core/bytes.h"
#include "kernels/workgroup.h"
#include "quant/device_layout.h"
#include "shaders/shared/transformer.h"

#include <algorithm>
#include <cassert>

namespace vkq {

const uint32_t kHadamard = VKQ_HADAMARD;

namespace {

/// What a dispatch appends to of a cache: piece `index`, or no heads.
CachePiece pieceOf(std::span<const CachePiece> pieces, size_t index, const ProjectedHeads& heads) {
	return heads.projection.buffer && index < pieces.size() ? pieces[index] : CachePiece{};
}

DeviceLayout layoutOf(const CachePiece& piece, uint32_t head_dim, uint32_t interleave) {
	if (!piece.heads) return {};
	assert(piece.cells % kKeyInterleave == 0);
	return deviceLayout(piece.type, head_dim, uint64_t(piece.heads) * piece.cells, interleave).value();
}

/// The set of roles whose heads have something.
template <class Has>
uint32_t rolesWith(const RotateHeads& work, const Has& has) {
	return uint32_t(has(work.query)) << VKQ_ROLE_QUERY | uint32_t(has(work.key)) << VKQ_ROLE_KEY | uint32_t(has(work.value)) << VKQ_ROLE_VALUE;
}

}  // namespace

Result<void> recordRotateHeads(vk::Device& device, vk::CommandBuffer& commands, const RotateHeads& work) {
	const uint32_t mixed = rolesWith(work, [](const ProjectedHeads& heads) { return heads.hadamard; });
	assert(work.head_dim > 0 && (!mixed || work.head_dim % kHadamard == 0) && !work.value.norm.buffer);
	const uint32_t key_type = work.keys.empty() ? 0 : uint32_t(work.keys[0].type), value_type = work.values.empty() ? 0 : uint32_t(work.values[0].type);
	VKQ_TRY(const vk::Pipeline* pipeline,
	        device.pipeline({ShaderId::rotate_heads, {workgroupLanes(device, 32), 1, 1, work.head_dim, key_type, value_type,
	                                                  rolesWith(work, [](const ProjectedHeads& heads) { return heads.bias.buffer != VK_NULL_HANDLE; }),
	                                                  rolesWith(work, [](const ProjectedHeads& heads) { return heads.norm.buffer != VK_NULL_HANDLE; }), mixed}}));
	const auto bound = [&](const vk::BufferView& view) { return view.buffer ? view : work.step_input; };
	const size_t dispatches = std::max({size_t(1), work.keys.size(), work.values.size()});
	for (size_t i = 0; i < dispatches; ++i) {
		const CachePiece keys = pieceOf(work.keys, i, work.key), values = pieceOf(work.values, i, work.value);
		const uint32_t query_heads = i == 0 && work.query.projection.buffer ? work.query_heads : 0;
		const DeviceLayout key_layout = layoutOf(keys, work.head_dim, kKeyInterleave), value_layout = layoutOf(values, work.head_dim, 1);
		assert(!keys.heads || !values.heads || keys.cells == values.cells);
		const shader::RotateHeadsPush push{
			.query_heads = query_heads,
			.key_heads = keys.heads,
			.query_stride = work.query.stride,
			.key_stride = work.key.stride,
			.value_stride = work.value.stride,
			.query_offset = work.query.offset,
			.key_offset = work.key.offset,
			.value_offset = work.value.offset,
			.key_first_head = keys.first_head,
			.value_first_head = values.first_head,
			.pairs = work.rotation.buffer ? work.rope_dims / 2 : 0,
			.half_split = work.half_split,
			.rotation_offset = work.rotation_offset,
			.query_scale = work.query_scale,
			.eps = work.norm_eps,
			.cells = std::max({1u, keys.cells, values.cells}),
			.key_high_word = uint32_t(key_layout.plane_offset[1] / 4),
			.key_scale_word = uint32_t(key_layout.plane_offset[2] / 4),
			.value_high_word = uint32_t(value_layout.plane_offset[1] / 4),
			.value_scale_word = uint32_t(value_layout.plane_offset[2] / 4),
		};
		commands.dispatch(*pipeline,
		                  {work.step_input, bound(work.query.projection), bound(work.key.projection), bound(work.value.projection), bound(work.rotation), bound(work.query.bias),
		                   bound(work.key.bias), bound(work.value.bias), bound(work.query.norm), bound(work.key.norm), bound(keys.buffer), bound(values.buffer)},
		                  push, {query_heads + keys.heads + values.heads, work.tokens});
	}
	return {};
}

Result<void> recordHadamard(vk::Device& device, vk::CommandBuffer& commands, const ActivationOutput& values, uint32_t columns, uint32_t rows) {
	assert(columns % kHadamard == 0);
	const uint32_t lanes = workgroupLanes(device, 64), row_blocks = columns / kHadamard;
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::hadamard, {lanes, 1, 1, values.constant()}}));
	const shader::HadamardPush push{row_blocks * rows, row_blocks};
	commands.dispatch(*pipeline, {values.floats, values.quantizedOr(values.floats)}, push, {uint32_t(divideUp(push.blocks, lanes))});
	return {};
}

}  // namespace vkq
