// What the planner is asked: a model, how it is to be run, and what there is to run it on. Plain data: no Vulkan, no files.
#pragma once

#include "arch/model.h"
#include "core/units.h"

#include <cstdint>
#include <string>
#include <vector>

namespace vkq {

/// One device as the planner sees it. The defaults are those of a discrete card of which only the memory is known.
struct DeviceSpec {
	std::string name;
	uint64_t memory = 0;                      // bytes, all of the heap that weights go to
	uint64_t available = 0;                   // bytes of it that are free: the driver's budget, or all
	bool unified = false;                     // that heap is the host's own memory: no staging, no second copy
	uint64_t max_allocation = 4 * kGiB - 4;   // bytes of one VkDeviceMemory, and of one VkBuffer
	uint64_t max_storage_range = 4 * kGiB - 4;// bytes that one descriptor reaches; what is larger is split into pieces
	uint32_t offset_alignment = 256;          // bytes: start of everything that is bound; a power of two
	uint64_t granularity = 64 * kKiB;         // bytes: what an allocation is rounded up to; a power of two. Of a device that is there: vk::allocationGranularity()
	uint32_t interleave = 8;                  // rows of a weight matrix that lie interleaved (device_layout.h); 1: none
	double bandwidth = 0;                     // bytes/s of that memory; 0: unknown
	double host_bandwidth = 25e9;             // bytes/s at which the device reads host memory (PCIe 4.0 x16; unified: = bandwidth)
};

/// What may be done when the weights do not fit.
enum class Offload {
	None,    // then it does not fit
	Layers,  // whole layers' weights stay in host-visible memory, read over the bus; caches and scratch stay on the device
};

struct Request {
	Hyperparameters model;
	std::vector<TensorInfo> tensors;          // the model's, each with the type that it has on the device; processing order
	uint32_t context = 4096;                  // tokens
	uint32_t batch = 512;                     // most tokens of one step (a prompt is fed in steps of these)
	uint32_t logit_rows = 1;                  // tokens of a step whose logits are wanted
	TensorType k_type = TensorType::F16;
	TensorType v_type = TensorType::F16;
	std::vector<DeviceSpec> devices;          // in the order in which layers may be laid on them
	uint64_t reserve = 0;                     // bytes of every device that are left alone
	uint64_t host_available = UINT64_MAX;     // bytes of host memory that may be allocated
	Offload offload = Offload::None;
	bool float_inputs = false;                // scratch holds a copy of products' inputs in single precision, not in 8 bits (InputPrecision::Reference)
};

}  // namespace vkq
