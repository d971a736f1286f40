#include "kernels/norm.h"

#include "kernels/workgroup.h"
#include "shaders/shared/transformer.h"

#include <cassert>

namespace vkq {

Result<void> recordNorm(vk::Device& device, vk::CommandBuffer& commands, const Norm& norm) {
	const bool after = norm.after.buffer != VK_NULL_HANDLE, before = norm.before.buffer != VK_NULL_HANDLE;
	assert((after || before) && (!norm.out.quantized.buffer || norm.columns % 32 == 0));
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::norm, {workgroupLanes(device, 256), 1, 1, after, before, norm.out.constant()}}));
	const auto bound = [&](const vk::BufferView& view) { return view.buffer ? view : norm.residual; };
	const shader::NormPush push{norm.columns, norm.first_row, norm.eps};
	commands.dispatch(*pipeline, {norm.residual, bound(norm.block_out), bound(norm.after), bound(norm.before), bound(norm.out.floats), norm.out.quantizedOr(norm.residual)}, push, {norm.rows});
	return {};
}

}  // namespace vkq
