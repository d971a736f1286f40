// Every pipeline of a device, made at first use; the driver's compiled code is kept on disk between runs.
//
// The file is $VKQ_CACHE_DIR/pipelines-<device uuid>-<driver>.bin, replaced atomically when the device closes and something new was
// compiled. A damaged or foreign file is ignored: the driver checks its header.
#pragma once

#include "core/result.h"
#include "vk/device_info.h"
#include "vk/pipeline.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>

namespace vkq::vk {

class PipelineCache {
public:
	static Result<std::unique_ptr<PipelineCache>> create(VkDevice device, const DeviceInfo& info);
	~PipelineCache();

	/// Stable address until the cache is destroyed.
	Result<const Pipeline*> get(const PipelineSpec& spec);

private:
	PipelineCache() = default;
	void save();
	/// Shaders with the same kinds of buffers share one: so a command buffer's descriptor sets serve all of them.
	Result<VkDescriptorSetLayout> setLayout(const std::vector<VkDescriptorType>& bindings);

	struct Entry {
		PipelineSpec spec;
		Pipeline pipeline;
	};
	VkDevice device_ = VK_NULL_HANDLE;
	VkPipelineCache cache_ = VK_NULL_HANDLE;
	DeviceFeatures features_;
	DeviceLimits limits_;
	std::filesystem::path file_;   // empty: not kept on disk
	size_t loaded_bytes_ = 0;
	std::mutex mutex_;
	std::vector<std::unique_ptr<Entry>> entries_;
	std::map<std::vector<VkDescriptorType>, VkDescriptorSetLayout> set_layouts_;
};

}  // namespace vkq::vk
