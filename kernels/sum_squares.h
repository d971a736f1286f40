// Sums of squares of a product's input, column by column and expert by expert: what importance matrices are made of (shaders/sum_squares.comp).
#pragma once

#include "core/result.h"
#include "vk/commands.h"

#include <cstdint>

namespace vkq {

struct SumSquares {
	vk::BufferView x;              // f32 [slots / slots_per_row][columns]
	vk::BufferView chosen;         // u32 [slots]: the expert of each; null: one expert sees all
	vk::BufferView sums;           // f32 [experts][columns], then [experts] counts of slots: added to. sumSquaresFloats() in all
	uint32_t columns = 0;
	uint32_t slots = 0;
	uint32_t slots_per_row = 1;    // that share a row of x
	uint32_t experts = 1;
};

constexpr uint64_t sumSquaresFloats(uint32_t columns, uint32_t experts) { return uint64_t(experts) * columns + experts; }

Result<void> recordSumSquares(vk::Device& device, vk::CommandBuffer& commands, const SumSquares& sum);

}  // namespace vkq
