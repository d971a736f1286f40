#include "quantize/route.h"

namespace vkq {

Router::Decision Router::decide(const Key& key, uint64_t slab_weights, uint64_t weights_left) const {
	const auto found = rates_.find(key);
	const Rates rates = found == rates_.end() ? Rates{} : found->second;
	if (rates.host == 0) return weights_left < kWorthMeasuring ? Decision::Device : Decision::ProbeHost;
	if (double(slab_weights) < rates.host * kDeviceSeconds) return Decision::Host;
	if (rates.device == 0) return Decision::ProbeDevice;
	return rates.device >= rates.host ? Decision::Device : Decision::Host;
}

void Router::measured(const Key& key, Decision probe, uint64_t weights, double seconds) {
	if (seconds <= 0) return;
	Rates& rates = rates_[key];
	const bool host = probe == Decision::ProbeHost;
	if (bool& warm = host ? rates.host_is_warm : rates.device_is_warm; !warm) warm = true;
	else (host ? rates.host : rates.device) = double(weights) / seconds;
}

}  // namespace vkq
