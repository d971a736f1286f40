#include "kernels/activation.h"

#include "core/bytes.h"
#include "kernels/workgroup.h"
#include "shaders/shared/transformer.h"

#include <algorithm>
#include <cassert>

namespace vkq {

Result<void> recordGatedActivation(vk::Device& device, vk::CommandBuffer& commands, const GatedActivation& work) {
	const uint32_t lanes = workgroupLanes(device, 64);
	const bool blocks = work.output.quantized.buffer;
	assert(!blocks || work.columns % 32 == 0);
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::activation, {lanes, 1, 1, work.output.constant()}}));
	const shader::ActivationPush push{work.columns, work.rows, work.gate_stride, work.linear_stride, work.linear_offset, work.output_stride, work.gelu};
	commands.dispatch(*pipeline, {work.gate, work.linear, work.output.floats, work.output.quantizedOr(work.gate)}, push,
	                  {uint32_t(divideUp(blocks ? work.columns / 32 : work.columns, lanes)), work.rows});
	return {};
}

Result<void> recordSoftcap(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView values, uint64_t count, float cap) {
	constexpr uint64_t kMostGroups = 65535;
	const uint32_t lanes = workgroupLanes(device, 64);
	VKQ_TRY(const vk::Pipeline* pipeline, device.pipeline({ShaderId::softcap, {lanes}}));
	commands.dispatch(*pipeline, {values}, shader::SoftcapPush{uint32_t(count), cap}, {uint32_t(std::min(divideUp(count, lanes), kMostGroups))});
	return {};
}

}  // namespace vkq
