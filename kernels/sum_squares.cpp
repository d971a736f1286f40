#include "kernels/sum_squares.h"

#include "core/bytes.h"
#include "kernels/workgroup.h"
#include "shaders/shared/transformer.h"

namespace vkq {

Result<void> recordSumSquares(vk::Device& device, vk::CommandBuffer& commands, const SumSquares& sum) {
	const uint32_t lanes = workgroupLanes(device, 64);
	const bool routed = sum.chosen.buffer != VK_NULL_HANDLE;
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::sum_squares, {lanes, 1, 1, routed}}));
	const shader::SumSquaresPush push{sum.columns, sum.slots, sum.slots_per_row, sum.experts};
	commands.dispatch(*pipeline, {sum.x, routed ? sum.chosen : sum.x, sum.sums}, push, {uint32_t(divideUp(sum.columns, lanes)), sum.experts});
	return {};
}

}  // namespace vkq
