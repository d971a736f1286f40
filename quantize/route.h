// Device or host: which is quicker for a type on this machine, found by measuring both on the job's own first rows.
//
// The bytes are the same either way. Cheap types (Q8_0, Q4_0, conversions) are bound by memory, and a slow bus or a software device can
// lose to the host; so can searches on a software device, which lives on the host's own cores. A device needs a fixed time a slab, so slabs too small to repay it stay
// on the host.
#pragma once

#include "quant/format.h"
#include "quant/search.h"

#include <cstdint>
#include <map>
#include <tuple>

namespace vkq {

class Router {
public:
	struct Key {
		TensorType from, to;
		bool importance;
		Search search = Search::kReference;
		auto operator<=>(const Key&) const = default;
	};
	enum class Decision { ProbeHost, ProbeDevice, Device, Host };

	/// What to do with the next slab of this kind, given how many weights of it the job still has.
	Decision decide(const Key& key, uint64_t slab_weights, uint64_t weights_left) const;

	/// How long a probe took. The first one of either side is not counted: its time is the driver's compiler's, or cold caches'.
	void measured(const Key& key, Decision probe, uint64_t weights, double seconds);

	/// Weights that a probe of the host encodes, enough for its threads and its cold pages not to count; one of the device takes a whole slab.
	static constexpr uint64_t kHostProbeWeights = 1 << 20;

private:
	/// A kind with less work than this is not worth two probes: it goes to the device.
	static constexpr uint64_t kWorthMeasuring = 16 << 20;
	/// Submitting and waiting for one slab costs about this much on every device seen (docs/kernels.md).
	static constexpr double kDeviceSeconds = 100e-6;

	struct Rates {
		double host = 0, device = 0;   // weights a second; 0: not measured
		bool host_is_warm = false, device_is_warm = false;
	};
	std::map<Key, Rates> rates_;
};

}  // namespace vkq
