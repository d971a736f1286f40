// The plan: where every byte of a run lies. It is computed without a device (solve.h) and executed as it stands: the
// runtime makes one allocation and one buffer per Block and binds every Placement at its offset. No second estimate exists.
//
//   Heap   a pool that has a size: one of each device, and the host's
//   Block  one allocation in a heap, with one buffer over all of it
//   Placement  one thing in a block: a piece of a weight, of a layer's cache, a scratch buffer
#pragma once

#include "planner/request.h"
#include "planner/scratch.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkq {

constexpr uint32_t kNone = UINT32_MAX;

struct Heap {
	std::string name;                  // the device's, or "host"
	uint32_t device = kNone;           // kNone: the host's
	uint64_t available = 0;            // bytes that may be used: the request's, reserve taken off
	uint64_t planned = 0;              // bytes of all blocks in it: what will be allocated, to the byte
};

struct Block {
	uint32_t heap = 0;
	uint32_t device = 0;               // whose buffer it is; a block in the host's heap is that device's host-visible memory
	uint64_t bytes = 0;                // a multiple of the device's granularity
	bool host_visible = false;         // must be mappable: staging and logits; offloaded weights are written through the map
};

enum class What { Weight, KCache, VCache, Scratch, Staging };

/// Where one thing, or a piece of it, lies. Things that exceed the device's storage range come in pieces, in order:
///   Weight  rows [first, first + count) of the tensor's rows() (experts one after another), each piece laid out by itself as
///           a matrix of `count` rows (device_layout.h). A piece is one or more whole experts, or rows of one expert; `first`
///           is a multiple of the interleave within its expert.
///   KCache, VCache  key/value heads [first, first + count) of the layer, head-major: [head][cell][head_dim]
///   Scratch, Staging  never in pieces
struct Placement {
	What what = What::Weight;
	uint32_t index = 0;                // Weight: in Request::tensors. Caches: layer. Scratch: static_cast of ScratchId
	uint32_t device = 0;               // where the work on it is done
	uint32_t block = 0;
	uint64_t offset = 0;               // bytes from the block's start; a multiple of the device's offset_alignment
	uint64_t bytes = 0;
	uint64_t first = 0, count = 0;
};

/// The part of the layers that one device computes.
struct LayerRange {
	uint32_t device = 0;
	uint32_t first = 0, count = 0;     // layers
	uint32_t offloaded = 0;            // of these, how many (the last ones) have their weights in host memory
};

struct Plan {
	bool fits = false;
	std::string reason;                // why it does not, one sentence with units
	uint64_t missing = 0;              // bytes that would have to be added for it to fit; 0 if no amount helps (a limit, not a size)

	std::vector<Heap> heaps;           // heaps[d] is device d's, the last is the host's. A device with unified memory has the host's pool as its own
	std::vector<Block> blocks;
	std::vector<Placement> placements;
	std::vector<LayerRange> layers;    // in order; devices without layers have no entry
	uint32_t output_device = 0;        // of output_norm and the head
	bool output_offloaded = false;     // the head's matrix lies in host memory

	// Sums of placements' bytes over all heaps, for tables; blocks also hold alignment gaps.
	uint64_t weight_bytes = 0, offloaded_weight_bytes = 0, k_bytes = 0, v_bytes = 0, scratch_bytes = 0, staging_bytes = 0;
	uint64_t mapped_bytes = 0;         // weights that are read from the mapped file, never allocated: the embedding table

	uint64_t deviceBytes() const;      // blocks in heaps of devices
	uint64_t hostBytes() const;        // blocks in the host's heap
};

/// All pieces of one thing on its device, in order.
std::vector<const Placement*> findPlacements(const Plan& plan, What what, uint32_t index);

}  // namespace vkq
