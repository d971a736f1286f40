#include "kernels/variant.h"

#include "kernels/load_probe.h"
#include "shaders/shader_code.h"
#include "shaders/shared/product.h"
#include "vk/env.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace vkq {

namespace {

constexpr Variant kVariants[] = {
	{"software-stream", "a row per lane, 8 rows interleaved and loaded as whole vectors, 8-bit inputs; where measured faster", 8, 1, 8, true, true, 8, true, false, true, false, false},
	{"software", "a row per lane, 8 rows interleaved, 8-bit inputs broadcast in the subgroup", 8, 1, 8, true, true, 8, true, false, false, false, false},
	{"software-narrow", "the same for subgroups of 4 lanes: every lane loads all inputs", 4, 1, 1, false, true, 8, true, false, false, false, false},
	{"gpu-matrix-dot", "as gpu-dot, many vectors as cooperative matrices in half precision", 32, 8, 8, true, false, 1, true, true, false, true, true},
	{"gpu-matrix", "as gpu, many vectors as cooperative matrices in half precision", 32, 8, 8, true, false, 1, false, true, false, true, false},
	{"gpu-dot", "as gpu, up to 8 vectors in 8 bits by products of packed bytes", 32, 8, 8, true, false, 1, true, true, false, false, true},
	{"gpu", "32 rows interleaved, 8 slices of k a workgroup; tiles in shared memory for many vectors", 32, 8, 8, true, false, 1, false, true, false, false, false},
	{"gpu-plain", "the same without subgroup operations", 32, 8, 1, false, false, 1, false, true, false, false, false},
};

}  // namespace

std::span<const Variant> allVariants() { return kVariants; }

const vk::CooperativeMatrixShape* cooperativeShape(const vk::DeviceInfo& device) {
	for (const vk::CooperativeMatrixShape& shape : device.cooperative_shapes)
		if (shape.float16_in && shape.float32_out && shape.m && shape.n && shape.k && VKQ_TILED_ROWS % shape.m == 0 && VKQ_TILED_COLUMNS % shape.n == 0 && 32 % shape.k == 0)
			return &shape;
	return nullptr;
}

std::string variantRejection(const Variant& variant, const vk::DeviceInfo& device) {
	if (device.limits.subgroup < variant.min_subgroup)
		return fmt::format("its subgroups have {} lanes, {} are needed", device.limits.subgroup, variant.min_subgroup);
	if (variant.broadcast && !device.features.subgroup_ballot) return "it has no subgroup broadcast in compute shaders";
	if (device.limits.workgroup_invocations < variant.interleave * variant.slices)
		return fmt::format("its workgroups have at most {} lanes, {} are needed", device.limits.workgroup_invocations, variant.interleave * variant.slices);
	if (variant.stream && !device.features.buffer_device_address) return "it has no buffer addresses";
	if (variant.dot && !device.features.integer_dot_product) return "it has no integer dot products";
	if (variant.cooperative) {
		if (shaderCode(ShaderId::product_cooperative).words.empty()) return "the GLSL compiler of this build was too old for cooperative matrices";
		if (!device.features.cooperative_matrix || !device.features.float16 || !cooperativeShape(device)) return "it has no cooperative matrices of half precision with single-precision sums";
		if (!device.features.subgroup_size_control && device.limits.min_subgroup != device.limits.max_subgroup) return "its subgroups vary in size";
	}
	return {};
}

Result<Variant> chooseVariant(const vk::DeviceInfo& device, std::string_view wanted) {
	if (wanted.empty()) wanted = vk::environment().variant;
	if (!wanted.empty()) {
		for (const Variant& variant : kVariants) {
			if (variant.name != wanted) continue;
			const std::string rejection = variantRejection(variant, device);
			if (rejection.empty()) return variant;
			return fail(ErrorCode::kUnsupported, fmt::format("device '{}' cannot run the kernel variant '{}': {}", device.name, wanted, rejection));
		}
		std::vector<std::string_view> names;
		for (const Variant& variant : kVariants) names.push_back(variant.name);
		return fail(ErrorCode::kUsage, fmt::format("there is no kernel variant '{}'", wanted), fmt::format("there are: {}", fmt::join(names, ", ")));
	}
	for (const Variant& variant : kVariants)
		if (!variant.stream && (!variant.dot || device.features.integer_dot_accelerated) && variant.wants_software == device.software() && variantRejection(variant, device).empty()) return variant;
	return fail(ErrorCode::kUnsupported, fmt::format("no kernel variant suits device '{}'", device.name));
}

Result<Variant> measureVariant(vk::Device& device, std::string_view wanted) {
	VKQ_TRY(const Variant chosen, chooseVariant(device.info(), wanted));
	if (!wanted.empty() || !vk::environment().variant.empty()) return chosen;
	for (const Variant& variant : kVariants) {
		const bool comparable = variant.stream && !chosen.stream && variant.wants_software == chosen.wants_software && variant.interleave == chosen.interleave;
		if (comparable && variantRejection(variant, device.info()).empty() && streamsFaster(device)) return variant;
	}
	return chosen;
}

}  // namespace vkq
