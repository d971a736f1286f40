// What has to be placed, cut into pieces that a device can bind: weights by layer, caches by layer, the scratch arena.
#pragma once

#include "core/result.h"
#include "planner/plan.h"

#include <vector>

namespace vkq {

/// Bytes and range of one piece; becomes a Placement when it has an address.
struct Piece {
	What what;
	uint32_t index;
	uint64_t bytes;
	uint64_t first, count;
};

/// The work in units that are placed whole: unit i < n_layer is a layer, unit n_layer the output norm and head.
struct Unit {
	std::vector<Piece> weights;
	std::vector<Piece> caches;
	uint64_t weight_bytes = 0;
};

struct DeviceUnits {
	std::vector<Unit> units;           // n_layer + 1
	uint64_t mapped_bytes = 0;         // never allocated
};

/// The layer of "blk.N.…", or nothing.
std::optional<uint32_t> layerOf(std::string_view tensor_name);

/// All units' weights as this device would hold them. kDoesNotFit when something cannot be bound however it is cut.
Result<DeviceUnits> cutWeights(const Request& request, const DeviceSpec& device);

/// What one tensor takes on `device` in the type that it has: every piece with its alignment, 0 where the host reads it from the mapped
/// file. For those who choose types: a plan's device memory is a constant (caches, scratch) and the sum of these, rounded up to
/// the granularity, while they share one block; a device with a small largest allocation may leave a gap at the end of each.
Result<uint64_t> weightBytes(const Hyperparameters& model, const TensorInfo& tensor, const DeviceSpec& device);

/// Puts the caches for request.context into `units`, in place of those that were there.
Result<void> cutCaches(const Request& request, const DeviceSpec& device, DeviceUnits& units);

/// A scratch buffer's place in the arena.
struct ArenaSlot {
	ScratchBuffer buffer;
	uint64_t offset;
};

/// Overlays buffers whose lives do not meet, largest first, each at the lowest offset that is free while it lives.
/// Returns the arena's size. Host-visible buffers are left out.
uint64_t layOutArena(const std::vector<ScratchBuffer>& buffers, uint32_t alignment, std::vector<ArenaSlot>& slots);

}  // namespace vkq
