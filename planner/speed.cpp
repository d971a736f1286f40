#include "planner/speed.h"

namespace vkq {

double bytesOfAToken(const Request& request, const Placement& placement) {
	const Hyperparameters& h = request.model;
	const bool experts = placement.what == What::Weight && request.tensors[placement.index].dimensions == 3;
	return double(placement.bytes) * (experts ? double(h.n_expert_used) / h.n_expert : 1.0);
}

double hostSeconds(const Request& request, const Plan& plan) {
	double seconds = 0;
	for (const Placement& placement : plan.placements) {
		if (placement.what != What::Weight || plan.blocks[placement.block].heap != request.devices.size()) continue;
		seconds += bytesOfAToken(request, placement) / request.devices[placement.device].host_bandwidth;
	}
	return seconds;
}

std::optional<Speed> expectedSpeed(const Request& request, const Plan& plan) {
	if (!plan.fits) return std::nullopt;
	const Hyperparameters& h = request.model;
	const uint32_t host_heap = uint32_t(request.devices.size());
	Speed speed;
	double weights = 0, caches = 0;
	for (const Placement& placement : plan.placements) {
		const bool cache = placement.what == What::KCache || placement.what == What::VCache;
		if (placement.what != What::Weight && !cache) continue;
		const DeviceSpec& device = request.devices[placement.device];
		if (device.bandwidth <= 0) return std::nullopt;
		const bool away = plan.blocks[placement.block].heap == host_heap;
		const double bytes = bytesOfAToken(request, placement);
		const double seconds = bytes / (away ? device.host_bandwidth : kBandwidthShare * device.bandwidth);
		(cache ? caches : weights) += seconds;
		if (cache) continue;
		speed.weight_bytes += uint64_t(bytes);
		if (away) speed.offloaded_bytes += uint64_t(bytes);
	}
	const double fixed = weights + h.n_layer * kLayerSeconds;
	speed.empty_context = 1.0 / fixed;
	speed.full_context = 1.0 / (fixed + caches);
	return speed;
}

}  // namespace vkq
