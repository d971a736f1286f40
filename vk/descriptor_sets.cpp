#include "vk/descriptor_sets.h"

#include "vk/check.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace vkq::vk {

namespace {

constexpr uint32_t kSetsPerPool = 32;
constexpr size_t kMaxBindings = 16;

Result<VkDescriptorPool> makePool(VkDevice device, std::span<const VkDescriptorType> bindings) {
	std::vector<VkDescriptorPoolSize> sizes;
	for (const VkDescriptorType type : {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER})
		if (const auto count = uint32_t(std::count(bindings.begin(), bindings.end(), type))) sizes.push_back({type, count * kSetsPerPool});
	VkDescriptorPoolCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
	info.maxSets = kSetsPerPool;
	info.poolSizeCount = uint32_t(sizes.size());
	info.pPoolSizes = sizes.data();
	VkDescriptorPool pool = VK_NULL_HANDLE;
	VKQ_VK_TRY(vkCreateDescriptorPool(device, &info, nullptr, &pool));
	return pool;
}

}  // namespace

DescriptorSets::DescriptorSets(DescriptorSets&& other) noexcept : DescriptorSets() { *this = std::move(other); }

DescriptorSets& DescriptorSets::operator=(DescriptorSets&& other) noexcept {
	std::swap(device_, other.device_);
	std::swap(layouts_, other.layouts_);
	return *this;
}

DescriptorSets::~DescriptorSets() {
	for (const auto& [layout, of] : layouts_)
		for (const VkDescriptorPool pool : of.pools) vkDestroyDescriptorPool(device_, pool, nullptr);
}

void DescriptorSets::reuse() {
	for (auto& [layout, of] : layouts_) of.used = 0;
}

Result<VkDescriptorSet> DescriptorSets::next(const Pipeline& pipeline, OfLayout& of) {
	if (of.used < of.sets.size()) return of.sets[of.used++];
	if (of.sets.size() == of.pools.size() * kSetsPerPool) {
		VKQ_TRY(const VkDescriptorPool pool, makePool(device_, pipeline.bindings));
		of.pools.push_back(pool);
	}
	VkDescriptorSetAllocateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
	info.descriptorPool = of.pools.back();
	info.descriptorSetCount = 1;
	info.pSetLayouts = &pipeline.set_layout;
	VkDescriptorSet set = VK_NULL_HANDLE;
	VKQ_VK_TRY(vkAllocateDescriptorSets(device_, &info, &set));
	of.sets.push_back(set);
	++of.used;
	return set;
}

Result<VkDescriptorSet> DescriptorSets::write(const Pipeline& pipeline, std::span<const BufferView> buffers) {
	assert(buffers.size() == pipeline.bindings.size() && buffers.size() <= kMaxBindings);
	VKQ_TRY(const VkDescriptorSet set, next(pipeline, layouts_[pipeline.set_layout]));
	VkDescriptorBufferInfo infos[kMaxBindings];
	VkWriteDescriptorSet writes[kMaxBindings];
	for (uint32_t i = 0; i < buffers.size(); ++i) {
		infos[i] = {buffers[i].buffer, buffers[i].offset, buffers[i].bytes};
		writes[i] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
		writes[i].dstSet = set;
		writes[i].dstBinding = i;
		writes[i].descriptorCount = 1;
		writes[i].descriptorType = pipeline.bindings[i];
		writes[i].pBufferInfo = &infos[i];
	}
	// Written each time: a handle that looks the same may be another buffer's by now.
	vkUpdateDescriptorSets(device_, uint32_t(buffers.size()), writes, 0, nullptr);
	return set;
}

}  // namespace vkq::vk
