#include "vk/pipeline_cache.h"

#include "shaders/shader_code.h"
#include "vk/check.h"
#include "vk/env.h"
#include "vk/spirv.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>

namespace vkq::vk {

namespace {

std::vector<char> readAll(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(in), {}};
}

void destroy(VkDevice device, const Pipeline& pipeline) {
	vkDestroyPipeline(device, pipeline.handle, nullptr);
	vkDestroyPipelineLayout(device, pipeline.layout, nullptr);
	vkDestroyShaderModule(device, pipeline.module, nullptr);
}

Result<VkDescriptorSetLayout> makeSetLayout(VkDevice device, const std::vector<VkDescriptorType>& types) {
	std::vector<VkDescriptorSetLayoutBinding> bindings;
	for (uint32_t i = 0; i < types.size(); ++i) bindings.push_back({i, types[i], 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
	VkDescriptorSetLayoutCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
	info.bindingCount = uint32_t(bindings.size());
	info.pBindings = bindings.data();
	VkDescriptorSetLayout layout = VK_NULL_HANDLE;
	VKQ_VK_TRY(vkCreateDescriptorSetLayout(device, &info, nullptr, &layout));
	return layout;
}

/// `pipeline` comes with its bindings, the layout of its set and the size of its push constants.
Result<void> build(VkDevice device, VkPipelineCache cache, const ShaderCode& code, const PipelineSpec& spec, bool size_control, Pipeline& pipeline) {
	const VkPushConstantRange push{VK_SHADER_STAGE_COMPUTE_BIT, 0, pipeline.push_bytes};
	VkPipelineLayoutCreateInfo layout{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
	layout.setLayoutCount = 1;
	layout.pSetLayouts = &pipeline.set_layout;
	layout.pushConstantRangeCount = pipeline.push_bytes ? 1 : 0;
	layout.pPushConstantRanges = &push;
	VKQ_VK_TRY(vkCreatePipelineLayout(device, &layout, nullptr, &pipeline.layout));

	VkShaderModuleCreateInfo module{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
	module.codeSize = code.words.size_bytes();
	module.pCode = code.words.data();
	VKQ_VK_TRY(vkCreateShaderModule(device, &module, nullptr, &pipeline.module));

	std::vector<VkSpecializationMapEntry> entries;
	for (uint32_t i = 0; i < spec.constants.size(); ++i) entries.push_back({i, i * 4, 4});
	const VkSpecializationInfo specialization{uint32_t(entries.size()), entries.data(), spec.constants.size() * 4, spec.constants.data()};
	VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup{VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO};
	subgroup.requiredSubgroupSize = spec.subgroup;

	VkComputePipelineCreateInfo create{VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
	create.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
	create.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
	create.stage.module = pipeline.module;
	create.stage.pName = "main";
	create.stage.pSpecializationInfo = &specialization;
	if (spec.subgroup && size_control) {
		create.stage.pNext = &subgroup;
		create.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT;
	}
	create.layout = pipeline.layout;
	VKQ_VK_TRY(vkCreateComputePipelines(device, cache, 1, &create, nullptr, &pipeline.handle));
	return {};
}

}  // namespace

Result<std::unique_ptr<PipelineCache>> PipelineCache::create(VkDevice device, const DeviceInfo& info) {
	std::unique_ptr<PipelineCache> cache(new PipelineCache);
	cache->device_ = device;
	cache->features_ = info.features;
	cache->limits_ = info.limits;
	std::vector<char> bytes;
	if (const auto& dir = environment().cache_dir) {
		// The UUID does not change with every driver build; the driver's own words do.
		cache->file_ = std::filesystem::path(*dir) / fmt::format("pipelines-{}-{:x}.bin", info.uuidText(), std::hash<std::string>{}(info.driver + info.name));
		bytes = readAll(cache->file_);
	}
	cache->loaded_bytes_ = bytes.size();
	VkPipelineCacheCreateInfo create{VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
	create.initialDataSize = bytes.size();
	create.pInitialData = bytes.data();
	VKQ_VK_TRY(vkCreatePipelineCache(device, &create, nullptr, &cache->cache_));
	return cache;
}

PipelineCache::~PipelineCache() {
	save();
	for (const auto& entry : entries_) destroy(device_, entry->pipeline);
	for (const auto& [bindings, layout] : set_layouts_) vkDestroyDescriptorSetLayout(device_, layout, nullptr);
	if (cache_) vkDestroyPipelineCache(device_, cache_, nullptr);
}

Result<const Pipeline*> PipelineCache::get(const PipelineSpec& spec) {
	std::lock_guard lock(mutex_);
	for (const auto& entry : entries_)
		if (entry->spec == spec) return static_cast<const Pipeline*>(&entry->pipeline);
	const ShaderCode& code = shaderCode(spec.shader);
	if (code.words.empty())
		return fail(ErrorCode::kUnsupported, fmt::format("the shader {} was left out of this build", code.name), "build with a newer glslang");
	VKQ_TRY(ShaderInterface interface, reflect(code.words));
	VKQ_TRY(const VkDescriptorSetLayout set_layout, setLayout(interface.bindings));
	auto entry = std::make_unique<Entry>();
	entry->spec = spec;
	entry->pipeline.set_layout = set_layout;
	entry->pipeline.push_bytes = interface.push_bytes;
	entry->pipeline.bindings = std::move(interface.bindings);
	if (auto built = build(device_, cache_, code, spec, features_.subgroup_size_control, entry->pipeline); !built) {
		destroy(device_, entry->pipeline);
		Error error = std::move(built).error();
		error.message = fmt::format("shader {}: {}", code.name, error.message);
		return error;
	}
	entries_.push_back(std::move(entry));
	return static_cast<const Pipeline*>(&entries_.back()->pipeline);
}

Result<VkDescriptorSetLayout> PipelineCache::setLayout(const std::vector<VkDescriptorType>& bindings) {
	if (const auto known = set_layouts_.find(bindings); known != set_layouts_.end()) return known->second;
	VKQ_TRY(const VkDescriptorSetLayout layout, makeSetLayout(device_, bindings));
	return set_layouts_.emplace(bindings, layout).first->second;
}

void PipelineCache::save() {
	// Best effort: a cache that cannot be written costs time, not correctness.
	if (file_.empty() || !cache_ || entries_.empty()) return;
	size_t bytes = 0;
	if (vkGetPipelineCacheData(device_, cache_, &bytes, nullptr) != VK_SUCCESS || bytes == loaded_bytes_) return;
	std::vector<char> data(bytes);
	if (vkGetPipelineCacheData(device_, cache_, &bytes, data.data()) != VK_SUCCESS) return;
	std::error_code ignored;
	std::filesystem::create_directories(file_.parent_path(), ignored);
	std::filesystem::path temporary = file_;
	temporary += fmt::format(".{}", getpid());
	bool written;
	{
		std::ofstream out(temporary, std::ios::binary);
		out.write(data.data(), std::streamsize(bytes));
		out.close();
		written = out.good();
	}
	if (written) std::filesystem::rename(temporary, file_, ignored);
	else std::filesystem::remove(temporary, ignored);
}

}  // namespace vkq::vk
