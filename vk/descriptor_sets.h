// The descriptor sets of one command buffer, kept from recording to recording.
//
// Push descriptors would need no such thing, but a software device makes a set of each push, with a mapping of its own, whenever the commands run: on Mesa 26
// that cost more than small kernels do. A set that is written while recording costs nothing when the commands run, on any device.
#pragma once

#include "core/result.h"
#include "vk/memory.h"
#include "vk/pipeline.h"

#include <vulkan/vulkan.h>

#include <map>
#include <span>
#include <vector>

namespace vkq::vk {

class DescriptorSets {
public:
	explicit DescriptorSets(VkDevice device = VK_NULL_HANDLE) : device_(device) {}
	DescriptorSets(DescriptorSets&& other) noexcept;
	DescriptorSets& operator=(DescriptorSets&& other) noexcept;
	~DescriptorSets();

	/// All sets may be written again. No commands that use them may be in flight.
	void reuse();

	/// A set for the pipeline's layout that names `buffers` as bindings 0, 1, 2, ...
	Result<VkDescriptorSet> write(const Pipeline& pipeline, std::span<const BufferView> buffers);

private:
	struct OfLayout {
		std::vector<VkDescriptorPool> pools;
		std::vector<VkDescriptorSet> sets;
		size_t used = 0;
	};
	Result<VkDescriptorSet> next(const Pipeline& pipeline, OfLayout& of);

	VkDevice device_;
	std::map<VkDescriptorSetLayout, OfLayout> layouts_;
};

}  // namespace vkq::vk
