// One step of the model on one device: a batch of tokens through its layers, recorded as a command buffer that serves for every step
// of the same shape. What changes between steps lies in buffers (StepInput, Embedded, Rotation).
#pragma once

#include "infer/allocation.h"
#include "infer/input_observer.h"
#include "infer/weights.h"

#include <vector>

namespace vkq {

/// How the KV cache is kept.
struct CacheSettings {
	TensorType k_type = TensorType::F16, v_type = TensorType::F16;
	bool hadamard_k = false, hadamard_v = false;   // heads are mixed before they are quantized: outliers spread over a block
};

/// The part of a model that one device runs.
struct Stage {
	uint32_t device = 0;
	uint32_t first_layer = 0, layers = 0;
	bool has_head = false;         // output norm, head and logits; else the residual is handed over
};

/// Stages in order of execution.
std::vector<Stage> stagesOf(const Plan& plan);

struct StepRecorder {
	const Hyperparameters& model;
	const Allocation& allocation;
	const Weights& weights;
	const Kernels& kernels;        // of the stage's device
	Stage stage;
	CacheSettings cache;
	uint32_t context = 0;          // tokens, as planned
	uint32_t batch = 0;            // most tokens of a step, as planned
	bool reference_inputs = false; // products' inputs are rounded as the reference does
	InputObserver* observer = nullptr;

	/// Records a step of `tokens`; logits are made for the last `logit_rows` of them. Between begin() and submit().
	Result<void> record(vk::CommandBuffer& commands, uint32_t tokens, uint32_t logit_rows) const;
};

}  // namespace vkq
