// Requests for known shapes, as the tests of this folder ask them.
#pragma once

#include "arch/known_shapes.h"
#include "planner/file_types.h"
#include "planner/request.h"

#include <gtest/gtest.h>

namespace vkq::test {

inline DeviceSpec deviceWith(uint64_t memory, std::string name = "GPU") {
	DeviceSpec device;
	device.name = std::move(name);
	device.memory = device.available = memory;
	return device;
}

/// The limits of Mesa's software device.
inline DeviceSpec softwareDevice(uint64_t memory) {
	DeviceSpec device = deviceWith(memory, "lavapipe");
	device.unified = true;
	device.max_allocation = 2 * kGiB;
	device.max_storage_range = 128 * kMiB;
	device.offset_alignment = 16;
	device.granularity = 64;
	return device;
}

inline Request requestFor(std::string_view size, std::string_view file_type, DeviceSpec device) {
	Request request;
	const auto shape = shapeForSize(size);
	EXPECT_TRUE(shape.ok());
	request.model = *hyperparameters(*shape);
	auto tensors = tensorsAs(mixtureModel(request.model), expectedTensors(request.model), *findFileType(file_type));
	EXPECT_TRUE(tensors.ok());
	request.tensors = std::move(*tensors);
	request.context = 4096;
	request.devices.push_back(std::move(device));
	return request;
}

}  // namespace vkq::test
