// Device classes as data: how products are cut for a kind of device. A table of variants with what each needs; the first
// whose needs are met and that suits the device is taken, or the one that VKQ_VARIANT names.
#pragma once

#include "core/result.h"
#include "vk/device.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace vkq {

struct Variant {
	std::string_view name;
	std::string_view description;      // one line for vkinfo --devices
	uint32_t interleave;               // rows of a weight matrix that lie interleaved: lanes that work side by side (quant/device_layout.h)
	uint32_t slices;                   // of k, in one workgroup; a workgroup is interleave x slices lanes
	uint32_t min_subgroup;             // lanes a subgroup must have at least
	bool broadcast;                    // inputs pass through the subgroup: one load a lane instead of eight
	bool wants_software;               // chosen by itself only on software devices, or only on others
	uint32_t unit;                     // blocks of 32 that a slice takes at a time
	bool integer_inputs;               // products are faster with inputs in 8 bits
	bool tiled;                        // products of many vectors decode tiles of weights into shared memory (product_tiled.comp)
	bool stream;                       // weights come as whole vectors, through pointers; taken by itself only where that was measured to be faster
	bool cooperative;                  // ... and multiply them as cooperative matrices in half precision, where weights are block-coded
	bool dot;                          // few vectors of block-coded types in 8 bits, by products of packed bytes; taken by itself only where the device declares these fast
};

std::span<const Variant> allVariants();

/// The cooperative-matrix shape that product_tiled.comp takes on this device: half precision in, single out, dividing its tile. Null: none.
const vk::CooperativeMatrixShape* cooperativeShape(const vk::DeviceInfo& device);

/// Empty when the device can run the variant, else why it cannot.
std::string variantRejection(const Variant& variant, const vk::DeviceInfo& device);

/// `wanted` by name; empty: VKQ_VARIANT, else the device's own, as far as its properties tell: without what has to be measured on it. kUsage for unknown names, kUnsupported where the device lacks something.
Result<Variant> chooseVariant(const vk::DeviceInfo& device, std::string_view wanted = {});

/// As chooseVariant(); where nothing was named, whole-vector loads are measured (load_probe.h), with the same memory layout.
Result<Variant> measureVariant(vk::Device& device, std::string_view wanted = {});

}  // namespace vkq
