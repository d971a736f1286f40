// A whole vkquant run without its command line: one source, one or more levels, each to a file of its own.
//
// Nothing is ever left under an output's final name but a complete file. An interrupted or failed job removes its temporary
// files, unless it may be resumed.
#pragma once

#include "core/result.h"
#include "ggufio/model_source.h"
#include "quantize/pipeline.h"
#include "quantize/plan.h"
#include "vk/device.h"

#include <filesystem>
#include <vector>

namespace vkq {

struct JobLevel {
	QuantizeOptions options;
	std::filesystem::path output;     // of a split output: the name that the first shard's is made from
	std::string name{};               // for people; empty: the file type's
};

struct JobOptions {
	PipelineOptions pipeline;
	bool force = false;               // overwrite existing outputs
	bool keep_split = false;          // every level in the shards that the source has (opened in TensorOrder::Stored)
	bool resume = false;              // keep what is done when interrupted, and continue from it
};

struct JobResult {
	PipelineReport report;
	std::vector<std::vector<std::filesystem::path>> files;   // of each level; several where it is split
	size_t resumed_tensors = 0;       // taken over from an earlier run
};

/// The plans of all levels, or the first error. Pure: this is --dry-run.
Result<std::vector<QuantizePlan>> planLevels(const ModelSource& source, const std::vector<JobLevel>& levels);

/// `input` is the path that `source` was opened from (its identity, for resuming). `device` may be null.
Result<JobResult> runJob(const ModelSource& source, const std::filesystem::path& input, vk::Device* device, const std::vector<JobLevel>& levels,
                         const std::vector<QuantizePlan>& plans, const JobOptions& options);

}  // namespace vkq
