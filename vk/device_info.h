// What a Vulkan device is and can: asked once, kept as data. Nothing else in the project asks the driver again, and nothing
// decides by vendor.
#pragma once

#include "core/result.h"
#include "vk/instance.h"

#include <vulkan/vulkan.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vkq::vk {

enum class DeviceKind { Discrete, Integrated, Virtual, Software, Other };
std::string_view deviceKindName(DeviceKind kind);   // "discrete GPU", "software (CPU)", ...

struct HeapInfo {
	uint64_t bytes = 0;        // capacity
	uint64_t budget = 0;       // what this process may use now; the capacity where the driver has no live budget
	uint64_t used = 0;         // by this process, as the driver counts; 0 without live budget
	bool device_local = false;
	bool host_visible = false; // some memory type of this heap can be mapped
};

/// Shape of one cooperative-matrix product the device can do, in elements.
struct CooperativeMatrixShape {
	uint32_t m = 0, n = 0, k = 0;
	bool float16_in = false, float32_out = false, float16_out = false;
};

struct DeviceFeatures {
	// Required: a device without one of these is rejected with the reason.
	bool storage8 = false, storage16 = false, int8 = false, int16 = false, scalar_layout = false;
	// Used when present.
	bool float16 = false;                // float16 arithmetic
	bool float64 = false;
	bool int64 = false;
	bool buffer_device_address = false;
	bool subgroup_size_control = false;  // a pipeline may ask for a size between min_subgroup and max_subgroup
	bool subgroup_arithmetic = false, subgroup_shuffle = false, subgroup_ballot = false, subgroup_clustered = false;   // in compute shaders
	bool integer_dot_product = false;    // packed 4x8-bit products
	bool integer_dot_accelerated = false;
	bool cooperative_matrix = false;     // VK_KHR_cooperative_matrix
	bool external_host_memory = false;
	bool memory_budget = false;
	bool timeline_semaphores = false;
	bool unified_memory = false;         // all device-local memory can be mapped by the host
	bool denorm_preserve32 = false;      // float controls
	bool round_to_even32 = false;
};

struct DeviceLimits {
	uint64_t storage_range = 0;       // bytes that one storage-buffer binding can see
	uint64_t uniform_range = 0;
	uint64_t allocation = 0;          // bytes of the largest single allocation
	uint64_t storage_alignment = 1;   // of binding offsets, bytes
	uint64_t uniform_alignment = 1;
	uint64_t import_alignment = 0;    // of imported host pointers and sizes; 0: cannot import
	uint32_t push_bytes = 128;
	uint32_t shared_bytes = 0;        // of a workgroup
	uint32_t workgroup_invocations = 0;
	std::array<uint32_t, 3> workgroup_size{};
	std::array<uint32_t, 3> workgroup_count{};
	uint32_t subgroup = 0;            // the usual size
	uint32_t min_subgroup = 0, max_subgroup = 0;
	uint32_t allocations = 0;         // how many may exist at once
	double timestamp_ns = 0;          // a tick; 0: no timestamps on the compute queue
};

struct DeviceInfo {
	uint32_t index = 0;                    // position in the loader's list
	std::string name;
	std::array<uint8_t, 16> uuid{};
	uint32_t vendor_id = 0, device_id = 0;
	DeviceKind kind = DeviceKind::Other;
	uint32_t api_version = 0;
	std::string driver;                    // name and version as the driver words them
	std::vector<HeapInfo> heaps;
	std::vector<VkMemoryType> memory_types;
	DeviceFeatures features;
	DeviceLimits limits;
	std::vector<CooperativeMatrixShape> cooperative_shapes;
	uint32_t compute_family = 0;           // queue family: one without graphics is preferred
	std::vector<std::string> rejections;   // why it cannot be used; empty: it can
	VkPhysicalDevice physical = VK_NULL_HANDLE;

	bool usable() const { return rejections.empty(); }
	bool software() const { return kind == DeviceKind::Software; }
	std::string uuidText() const;          // 8-4-4-4-12
};

/// All devices of the loader, usable or not.
Result<std::vector<DeviceInfo>> listDevices(const std::shared_ptr<Instance>& instance);

/// Asks the driver for the present budget and use of each heap (VKQ_HEAP_LIMIT caps it).
std::vector<HeapInfo> currentHeaps(const DeviceInfo& device);

/// `wanted`: index, UUID, or part of the name in any case; empty: VKQ_DEVICE, else discrete before integrated before others
/// before software. Errors list what there is and why each was passed over.
Result<DeviceInfo> chooseDevice(const std::vector<DeviceInfo>& devices, std::string_view wanted = {});

}  // namespace vkq::vk
