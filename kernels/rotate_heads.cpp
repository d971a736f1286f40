#include "kernels/rotate_heads.h"

#include "core/bytes.h"
#include "kernels/workgroup.h"
#include "quant/device_layout.h"
#include "shaders/shared/transformer.h"

#include <cassert>

namespace vkq {

const uint32_t kHadamard = VKQ_HADAMARD;

Result<void> recordRotateHeads(vk::Device& device, vk::CommandBuffer& commands, const RotateHeads& work) {
	assert(work.head_dim > 0 && (!work.hadamard || work.head_dim % kHadamard == 0));
	const bool query = work.role == HeadRole::Query;
	const uint32_t interleave = work.role == HeadRole::Key ? kKeyInterleave : 1;
	VKQ_TRY(const vk::Pipeline* pipeline,
	        device.pipeline({ShaderId::rotate_heads, {workgroupLanes(device, 32), 1, 1, work.head_dim, uint32_t(work.role), query ? 0 : uint32_t(work.cache.type),
	                                                  interleave, work.bias.buffer != VK_NULL_HANDLE, work.norm.buffer != VK_NULL_HANDLE, work.hadamard}}));
	DeviceLayout layout;
	if (!query) {
		assert(work.cache.cells % kKeyInterleave == 0);
		layout = deviceLayout(work.cache.type, work.head_dim, uint64_t(work.cache.heads) * work.cache.cells, interleave).value();
	}
	const shader::RotateHeadsPush push{
		.stride = work.stride,
		.offset = work.offset,
		.first_head = query ? 0 : work.cache.first_head,
		.pairs = work.rotation.buffer ? work.rope_dims / 2 : 0,
		.half_split = work.half_split,
		.rotation_offset = work.rotation_offset,
		.scale = work.scale,
		.eps = work.norm_eps,
		.cells = query ? 1 : work.cache.cells,
		.high_word = uint32_t(layout.plane_offset[1] / 4),
		.scale_word = uint32_t(layout.plane_offset[2] / 4),
	};
	const auto bound = [&](const vk::BufferView& view) { return view.buffer ? view : work.values; };
	commands.dispatch(*pipeline, {work.step_input, work.values, bound(work.rotation), bound(work.bias), bound(work.norm), bound(work.cache.buffer)}, push,
	                  {query ? work.heads : work.cache.heads, work.tokens});
	return {};
}

Result<void> recordHadamard(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView values, uint64_t elements) {
	assert(elements % kHadamard == 0);
	const uint32_t lanes = workgroupLanes(device, 64);
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::hadamard, {lanes}}));
	const uint32_t blocks = uint32_t(elements / kHadamard);
	commands.dispatch(*pipeline, {values}, shader::HadamardPush{blocks}, {uint32_t(divideUp(blocks, lanes))});
	return {};
}

}  // namespace vkq
