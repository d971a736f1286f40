// What vkquant tells at the end, or before with --dry-run: as a table, or as JSON.
#pragma once

#include "ggufio/model_source.h"
#include "quantize/job.h"
#include "tools/common.h"
#include "tools/vkquant_mix.h"
#include "vk/device.h"

#include <span>

namespace vkq::tools {

/// Sizes and types of each level; `result` is null for a dry run, `device` null when everything ran on the host.
struct VkquantSummary {
	const ModelSource& source;
	const std::vector<JobLevel>& levels;
	const std::vector<QuantizePlan>& plans;
	const ChosenMix* mix = nullptr;          // of the one level, where its types were chosen
	const JobResult* result = nullptr;
	const vk::Device* device = nullptr;
};

void printSummary(const VkquantSummary& summary);
Json summaryJson(const VkquantSummary& summary);

}  // namespace vkq::tools
