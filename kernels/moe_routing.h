// Mixture of experts: which experts a token goes to, and the weighted sum of what they put out.
#pragma once

#include "core/result.h"
#include "vk/commands.h"

#include <cstdint>

namespace vkq {

struct MoeShape {
	uint32_t tokens = 0;
	uint32_t experts = 0;
	uint32_t used = 0;        // a token's
	bool normalize = true;    // a token's weights sum to 1
};

/// `logits` f32 [tokens][experts]. `choice`: u32 expert [tokens][used], best first (of equals the lower number), then behind
/// tokens * used words f32 weight [tokens][used]: the softmax over all experts.
Result<void> recordMoeRouting(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView logits, vk::BufferView choice, const MoeShape& shape);

/// output[token] (+)= sum of weight * down[token][place]; `down` f32 [tokens][used][columns].
Result<void> recordMoeCombine(vk::Device& device, vk::CommandBuffer& commands, vk::BufferView down, vk::BufferView choice, vk::BufferView output, uint32_t columns,
                              const MoeShape& shape, bool accumulate);

}  // namespace vkq
