// The budget of --fit: what a device has for weights beside the cache and the workspace, asked of the planner.
#pragma once

#include "planner/solve.h"
#include "quantize/budget.h"
#include "tools/vkquant_mix.h"

namespace vkq::tools {

class DeviceFit {
public:
	/// kDoesNotFit where the smallest weights do not fit, with what would help. `device`: this machine's, for --fit auto.
	static Result<DeviceFit> create(const ModelSource& source, const QuantizePlan& plan, const std::vector<MixTensor>& tensors, const MixRequest& request, const std::string& device);

	/// What an option takes on the device. Tensors that the host reads (an embedding table that is not the head too) take nothing there.
	uint64_t bytes(const MixTensor& tensor, const MixOption& option) const;

	/// A tensor that takes nothing of the device would stay as large as it is, for no gain that can be measured: it takes Q8_0 at most.
	void capTensorsOfTheHost(std::vector<MixTensor>& tensors) const;

	/// The best choice that the planner lets pass. usedBytes() is its plan's.
	Result<BudgetChoice> choose(const std::vector<MixTensor>& tensors);

	uint64_t available() const { return available_; }
	uint64_t fixedBytes() const { return fixed_; }
	uint64_t usedBytes() const { return used_; }
	std::string description() const;

private:
	Result<Plan> planFor(const std::vector<MixTensor>& tensors, const std::vector<size_t>& chosen) const;

	Request request_;                       // tensors are those of the output, with their smallest types
	std::vector<size_t> place_;             // of the plan's job in request_.tensors
	uint64_t available_ = 0, fixed_ = 0, used_ = 0;
};

}  // namespace vkq::tools
