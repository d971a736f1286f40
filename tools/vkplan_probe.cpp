// vkplan-probe [DEVICE...]: this machine's devices as the planner sees them, as JSON. vkplan runs it when no memory was named,
// so that vkplan itself loads no driver: it starts in milliseconds, and a driver that crashes takes only this program along.

#include "infer/device_spec.h"
#include "tools/common.h"
#include "tools/vkplan_device_json.h"
#include "vk/device.h"

#include <fmt/format.h>

using namespace vkq;
using namespace vkq::tools;

namespace {

Result<DeviceSpec> specOf(const std::string& wanted) {
	auto device = vk::Device::open(wanted);
	if (!device) return device.error();
	const auto variant = chooseVariant((*device)->info());   // what would be measured beyond does not change memory
	if (!variant) return variant.error();
	return deviceSpec({device->get(), *variant});
}

/// All discrete devices, since a model can be split over them; where there is none, the one that would be taken anyway.
Result<std::vector<std::string>> everyDevice() {
	auto instance = vk::Instance::create();
	if (!instance) return instance.error();
	auto infos = vk::listDevices(*instance);
	if (!infos) return infos.error();
	std::vector<std::string> discrete;
	for (const vk::DeviceInfo& info : *infos) if (info.usable() && info.kind == vk::DeviceKind::Discrete) discrete.push_back(std::to_string(info.index));
	if (discrete.empty()) discrete.push_back("");
	return discrete;
}

int probe(int argc, char** argv) {
	std::vector<std::string> wanted(argv + 1, argv + argc);
	if (wanted.empty()) {
		auto all = everyDevice();
		if (!all) return report("vkplan-probe", all.error());
		wanted = std::move(*all);
	}
	std::vector<DeviceSpec> devices;
	for (const std::string& name : wanted) {
		auto spec = specOf(name);
		if (!spec) return report("vkplan-probe", spec.error());
		devices.push_back(std::move(*spec));
	}
	fmt::print("{}\n", devicesToJson(devices));
	return kDone;
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkplan-probe", [&] { return probe(argc, argv); });
}
