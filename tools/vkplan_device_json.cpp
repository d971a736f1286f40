#include "tools/vkplan_device_json.h"

#include <nlohmann/json.hpp>

namespace vkq {
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DeviceSpec, name, memory, available, unified, max_allocation, max_storage_range, offset_alignment, granularity,
                                   interleave, bandwidth, host_bandwidth)
}

namespace vkq::tools {

std::string devicesToJson(const std::vector<DeviceSpec>& devices) {
	return nlohmann::json(devices).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<std::vector<DeviceSpec>> devicesFromJson(const std::string& text) {
	try {
		return nlohmann::json::parse(text).get<std::vector<DeviceSpec>>();
	} catch (const nlohmann::json::exception& error) {
		return fail(ErrorCode::kNoDevice, std::string("vkplan-probe answered something else than devices: ") + error.what());
	}
}

}  // namespace vkq::tools
