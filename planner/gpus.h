// Known cards: memory and peak bandwidth as their makers publish them. For planning without the card in the machine.
#pragma once

#include "core/result.h"
#include "planner/request.h"

#include <span>
#include <string_view>

namespace vkq {

struct KnownGpu {
	std::string_view name;
	double memory_gib;         // 0: shares the host's memory, so the user says how much
	double bandwidth_gb;       // 10^9 bytes/s, peak
	bool unified = false;
};

std::span<const KnownGpu> knownGpus();

/// By name, any case, maker's prefixes and spaces left out: "rtx4060", "NVIDIA GeForce RTX 4060". A part of a name will do if only one
/// card has it. kUsage otherwise, with the cards that come near.
Result<KnownGpu> findGpu(std::string_view name);

/// As a device to plan for. `memory` > 0 overrides the table's.
Result<DeviceSpec> deviceOf(const KnownGpu& gpu, uint64_t memory);

}  // namespace vkq
