// What llama.cpp would allocate for the same model: for those who plan for that runtime.
//
// Facts of version 0.7.0 with the Vulkan backend, all layers on devices, flash attention on, one sequence; measured with its own
// llama-fit-params on one, two and three devices. Weights and cache are sums and exact. The compute buffers are what its graph allocator
// arrives at: the model's graph for one full step is listed (llama_cpp_step.h), ordered (graph_order.h) and placed (graph_memory.h) as it
// would be there. It keeps the embedding table on the host, sizes the logits for a whole step, and rounds the context up to 256.
//
// With several devices layers are split in proportion (the free memory of each, if not told otherwise), the head counting as one more
// layer; and the devices work on up to four steps at once, each with inputs of its own.
#pragma once

#include "arch/model.h"

#include <cstdint>
#include <span>
#include <vector>

namespace vkq {

struct LlamaCppDevice {
	uint64_t weights = 0;         // bytes
	uint64_t cache = 0;
	uint64_t compute = 0;
	uint32_t layers = 0;
	bool head = false;            // the output norm and matrix

	uint64_t bytes() const { return weights + cache + compute; }
};

struct LlamaCppMemory {
	std::vector<LlamaCppDevice> devices;
	uint64_t host_weights = 0;    // the embedding table, mapped
	uint64_t host_output = 0;     // logits of one token

	LlamaCppDevice total() const;
	/// `available`: bytes of each device.
	bool fits(std::span<const uint64_t> available) const;
};

struct LlamaCppRun {
	uint32_t context = 4096;      // tokens
	uint32_t batch = 512;         // tokens of one step (--ubatch-size)
	TensorType k_type = TensorType::F16, v_type = TensorType::F16;
	std::vector<double> split{};  // a proportion each device (--tensor-split), their sum > 0; empty: one device
};

LlamaCppMemory llamaCppMemory(const Hyperparameters& model, std::span<const TensorInfo> tensors, const LlamaCppRun& run);

/// The longest context (a multiple of 256, at most `most`) whose memory is within each device's `available`; 0 if none.
uint32_t llamaCppLargestContext(const Hyperparameters& model, std::span<const TensorInfo> tensors, LlamaCppRun run, std::span<const uint64_t> available, uint32_t most);

}  // namespace vkq
