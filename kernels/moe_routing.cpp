#include "kernels/moe_routing.h"

#include "core/bytes.h"
#include "kernels/workgroup.h"
#include "shaders/shared/transformer.h"

namespace vkq {

Result<void> recordMoeRouting(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView logits, vk::BufferView choice, const MoeShape& shape) {
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::moe_routing, {workgroupLanes(device, 32), 1, 1, shape.experts}}));
	const shader::MoeRoutingPush push{shape.experts, shape.used, shape.tokens * shape.used, shape.normalize};
	commands.dispatch(*pipeline, {logits, choice}, push, {shape.tokens});
	return {};
}

Result<void> recordMoeCombine(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView down, vk::BufferView choice, vk::BufferView output, uint32_t columns,
                              const MoeShape& shape, bool accumulate) {
	const uint32_t lanes = workgroupLanes(device, 64);
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::moe_combine, {lanes}}));
	const shader::MoeCombinePush push{columns, shape.tokens, shape.used, shape.tokens * shape.used, accumulate};
	commands.dispatch(*pipeline, {down, choice, output}, push, {uint32_t(divideUp(columns, lanes)), shape.tokens});
	return {};
}

}  // namespace vkq
