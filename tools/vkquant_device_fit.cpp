#include "tools/vkquant_device_fit.h"

#include "core/units.h"
#include "planner/pieces.h"
#include "tools/vkplan_devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace vkq::tools {

namespace {

/// Budgets that are tried: the planner's gaps between things are not the sum of their sizes, so the first guess may be a little off.
constexpr unsigned kTries = 24;
constexpr uint32_t kDefaultTokens = 4096;   // the runtime's own default where the model allows it

std::string cacheText(const Request& request) {
	return request.k_type == request.v_type ? std::string(typeName(request.k_type)) : fmt::format("{}/{}", typeName(request.k_type), typeName(request.v_type));
}

void setType(TensorInfo& tensor, TensorType type) {
	tensor.type = type;
	tensor.bytes = *typeBytes(type, tensor.elements());
}

Error doesNotFit(const ModelSource& source, const Request& request, const Plan& plan) {
	std::string hint;
	if (plan.missing) hint = fmt::format("{} more would do", formatBytes(plan.missing));
	const auto orElse = [&hint](std::string text) { hint += (hint.empty() ? "" : "; or ") + std::move(text); };
	if (const uint32_t most = largestContext(request, request.context)) orElse(fmt::format("a shorter context: --ctx {} fits", most));
	for (const TensorType type : {TensorType::Q8_0, TensorType::Q4_0}) {
		Request smaller = request;
		smaller.k_type = smaller.v_type = type;
		if (typeBytes(type, 256) >= typeBytes(request.k_type, 256)) continue;
		if (const auto other = solve(smaller); other && other->fits) {
			orElse(fmt::format("a smaller cache: --kv {} fits", type == TensorType::Q8_0 ? "q8_0" : "q4_0"));
			break;
		}
	}
	return fail(ErrorCode::kDoesNotFit, fmt::format("{} does not fit even with every tensor in its smallest type: {} on the device at {} tokens of {} cache; {}", source.name(), formatBytes(plan.deviceBytes()),
	                                                 formatExact(request.context), cacheText(request), plan.reason), hint);
}

}  // namespace

Result<DeviceFit> DeviceFit::create(const ModelSource& source, const QuantizePlan& plan, const std::vector<MixTensor>& tensors, const MixRequest& asked, const std::string& device) {
	DeviceFit fit;
	Request& request = fit.request_;
	DeviceArguments arguments;
	if (*asked.device == "auto") arguments.device = device;
	else arguments.vram = *asked.device;
	auto target = findTarget(arguments);
	if (!target) {
		Error error = std::move(target).error();
		if (error.message.starts_with("--vram")) error.message.replace(0, 6, "--fit");
		error.hint = "the card's memory, as 8GiB; or auto for this machine's device";
		return error;
	}
	request.devices = std::move(target->devices);
	request.reserve = target->reserve;
	request.host_available = target->host_available;

	std::vector<size_t> order(plan.jobs.size());
	std::iota(order.begin(), order.end(), 0);
	std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return tensorComesBefore(plan.layout.tensors[a], plan.layout.tensors[b]); });
	fit.place_.resize(order.size());
	for (const size_t job : order) {
		fit.place_[job] = request.tensors.size();
		request.tensors.push_back(plan.layout.tensors[job]);
	}
	for (const MixTensor& tensor : tensors) setType(request.tensors[fit.place_[tensor.job]], tensor.options.front().type);
	VKQ_TRY(request.model, readHyperparameters(plan.metadata, request.tensors, source.name()));
	VKQ_CHECK(checkTensors(request.model, request.tensors, source.name()));
	request.context = asked.context ? asked.context : std::min(request.model.n_ctx_train, kDefaultTokens);
	request.batch = std::min(request.batch, request.context);
	request.k_type = asked.k_type;
	request.v_type = asked.v_type;

	VKQ_TRY(const Plan smallest, solve(request));
	if (!smallest.fits) return doesNotFit(source, request, smallest);
	for (const Heap& heap : smallest.heaps)
		if (heap.device != kNone) fit.available_ += heap.available;
	uint64_t open = 0;
	for (const MixTensor& tensor : tensors) open += fit.bytes(tensor, tensor.options.front());
	fit.fixed_ = smallest.deviceBytes() - std::min(smallest.deviceBytes(), open);
	fit.used_ = smallest.deviceBytes();
	return fit;
}

uint64_t DeviceFit::bytes(const MixTensor& tensor, const MixOption& option) const {
	TensorInfo info = request_.tensors[place_[tensor.job]];
	setType(info, option.type);
	const auto bytes = weightBytes(request_.model, info, request_.devices[0]);
	return bytes ? *bytes : UINT32_MAX * uint64_t(UINT16_MAX);   // cannot be bound however it is cut: more than any device has
}

void DeviceFit::capTensorsOfTheHost(std::vector<MixTensor>& tensors) const {
	for (MixTensor& tensor : tensors) {
		const MixOption* const most = tensor.find(TensorType::Q8_0);
		if (!most || bytes(tensor, *most) != 0) continue;
		const uint64_t cap = most->file_bytes;
		std::erase_if(tensor.options, [&](const MixOption& option) { return option.file_bytes > cap; });
	}
}

Result<Plan> DeviceFit::planFor(const std::vector<MixTensor>& tensors, const std::vector<size_t>& chosen) const {
	Request request = request_;
	for (size_t i = 0; i < tensors.size(); ++i) setType(request.tensors[place_[tensors[i].job]], tensors[i].options[chosen[i]].type);
	return solve(request);
}

Result<BudgetChoice> DeviceFit::choose(const std::vector<MixTensor>& tensors) {
	const auto items = budgetItems(tensors, [this](const MixTensor& tensor, const MixOption& option) { return bytes(tensor, option); });
	// Between the largest budget known to fit and the smallest known not to.
	uint64_t fits = smallestBytes(items), fails = UINT64_MAX, budget = available_ - std::min(available_, fixed_);
	std::optional<BudgetChoice> best;
	for (unsigned attempt = 0; attempt < kTries && fits < fails; ++attempt) {
		budget = std::max(budget, smallestBytes(items));
		VKQ_TRY(BudgetChoice choice, chooseWithin(items, budget));
		VKQ_TRY(const Plan plan, planFor(tensors, choice.chosen));
		if (plan.fits) {
			const bool all = choice.bytes < budget && fails == UINT64_MAX;
			fits = budget;
			best = std::move(choice);
			used_ = plan.deviceBytes();
			if (all && best->cost == best->bound) break;   // the first guess is the whole device: no more is to be had
			if (fails == UINT64_MAX || fails - fits < available_ / 2000) break;
			budget = fits + (fails - fits) / 2;
		} else {
			fails = budget;
			budget = best ? fits + (fails - fits) / 2 : budget - std::min(budget, std::max<uint64_t>(plan.missing, request_.devices[0].granularity));
		}
	}
	if (!best) {   // what create() saw fit
		VKQ_TRY(best, chooseWithin(items, smallestBytes(items)));
	}
	return *best;
}

std::string DeviceFit::description() const {
	uint64_t memory = 0;
	for (const DeviceSpec& device : request_.devices) memory += device.memory;
	return fmt::format("{} of device memory at {} tokens of {} cache", formatBytes(memory), formatExact(request_.context), cacheText(request_));
}

}  // namespace vkq::tools
