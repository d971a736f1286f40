// Sees what the matrices of a model are multiplied with, on the device, before each product.
#pragma once

#include "core/result.h"
#include "kernels/product.h"

#include <cstdint>

namespace vkq {

/// Inputs that a layer's matrices share.
enum class ProductInput : uint32_t {
	Attention,         // of q, k, v
	AttentionOutput,
	FeedForward,       // of gate and up; of a mixture's router
	Down,
	Experts,           // of gate and up of the experts: rows as FeedForward, each expert those that are routed to it
	ExpertsDown,
};
constexpr uint32_t kProductInputs = uint32_t(ProductInput::ExpertsDown) + 1;

struct ObservedInput {
	ProductInput input = ProductInput::Attention;
	uint32_t layer = 0;
	vk::BufferView x;                        // f32 [slots / slots_per_row][columns], packed
	uint32_t columns = 0, slots = 0;
	uint32_t slots_per_row = 1;
	vk::BufferView chosen;                   // u32 [slots]: the expert; null for dense ones
	uint32_t experts = 1;
};

class InputObserver {
public:
	virtual ~InputObserver() = default;
	/// Records work that reads `input.x`, which is complete. Called once a recording: recordings are played for many steps. What it makes on the device
	/// must not outlive the session.
	virtual Result<void> record(const Kernels& kernels, vk::CommandBuffer& commands, const ObservedInput& input) = 0;
};

}  // namespace vkq
