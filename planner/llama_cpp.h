// What llama.cpp would allocate for the same model: for those who plan for that runtime.
//
// Facts of version 0.7.0 with the Vulkan backend, all layers on one device, flash attention on, one sequence; measured with its
// own llama-fit-params. Weights and cache are sums and exact. The compute buffer is what its graph allocator arrives at: the
// model's graph for one full step is listed in order (graph_memory.h plays the allocator). It keeps the embedding table on the
// host, sizes the logits for a whole step, and rounds the context up to 256.
#pragma once

#include "arch/model.h"

#include <cstdint>
#include <span>

namespace vkq {

struct LlamaCppMemory {
	uint64_t weights = 0;         // bytes on the device
	uint64_t cache = 0;
	uint64_t compute = 0;
	uint64_t host_weights = 0;    // the embedding table, mapped
	uint64_t host_output = 0;     // logits of one token

	uint64_t deviceBytes() const { return weights + cache + compute; }
};

struct LlamaCppRun {
	uint32_t context = 4096;      // tokens
	uint32_t batch = 512;         // tokens of one step (--ubatch-size)
	TensorType k_type = TensorType::F16, v_type = TensorType::F16;
};

LlamaCppMemory llamaCppMemory(const Hyperparameters& model, std::span<const TensorInfo> tensors, const LlamaCppRun& run);

/// The longest context (a multiple of 256, at most `most`) whose device memory is within `available`; 0 if none.
uint32_t llamaCppLargestContext(const Hyperparameters& model, std::span<const TensorInfo> tensors, LlamaCppRun run, uint64_t available, uint32_t most);

}  // namespace vkq
