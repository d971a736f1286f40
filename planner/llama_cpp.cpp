#include "planner/llama_cpp.h"

#include "core/bytes.h"
#include "planner/llama_cpp_step.h"
#include "planner/pieces.h"

#include <algorithm>
#include <numeric>

namespace vkq {

namespace {

/// The device of every layer, and of the head behind them: layer i of n + 1 goes to the device in whose share i / (n + 1) falls.
std::vector<uint32_t> devicesOf(uint32_t layers, const std::vector<double>& split) {
	std::vector<float> until(split.size());   // single precision, as there: it decides at the borders
	float sum = 0;
	for (size_t i = 0; i < split.size(); ++i) until[i] = sum += float(split[i]);
	for (float& border : until) border /= sum;
	std::vector<uint32_t> devices(layers + 1);
	for (uint32_t layer = 0; layer <= layers && split.size() > 1; ++layer) {
		const auto share = std::upper_bound(until.begin(), until.end(), float(layer) / float(layers + 1));
		devices[layer] = uint32_t(std::min<ptrdiff_t>(share - until.begin(), ptrdiff_t(split.size()) - 1));
	}
	return devices;
}

}  // namespace

LlamaCppMemory llamaCppMemory(const Hyperparameters& h, std::span<const TensorInfo> tensors, const LlamaCppRun& run) {
	const uint64_t context = llamaCppCells(run.context), batch = std::min<uint64_t>(run.batch, context);
	const std::vector<uint32_t> device_of = devicesOf(h.n_layer, run.split);
	const uint32_t devices = uint32_t(std::max<size_t>(1, run.split.size()));
	LlamaCppMemory memory;
	memory.devices.resize(devices);
	for (uint32_t layer = 0; layer < h.n_layer; ++layer) ++memory.devices[device_of[layer]].layers;
	memory.devices[device_of[h.n_layer]].head = true;

	for (const TensorInfo& tensor : tensors) {
		const uint64_t bytes = alignUp(tensor.bytes, kLlamaCppAlignment);
		const bool embedding = tensor.name == "token_embd.weight";
		if (embedding) memory.host_weights += tensor.bytes;
		if (tensor.name.starts_with("rope_")) {   // a copy for every device that has layers
			for (LlamaCppDevice& device : memory.devices) if (device.layers) device.weights += bytes;
		} else if (!embedding || h.tied_embeddings) {
			memory.devices[device_of[layerOf(tensor.name).value_or(h.n_layer)]].weights += bytes;
		}
	}
	const uint64_t row = typeBytes(run.k_type, h.n_embd_kv()).value_or(0) + typeBytes(run.v_type, h.n_embd_kv()).value_or(0);
	for (uint32_t layer = 0; layer < h.n_layer; ++layer) {
		memory.devices[device_of[layer]].cache += row * (h.slides(layer) ? llamaCppWindowCells(h, context, batch) : context);
	}
	const std::vector<uint64_t> compute = LlamaCppStep(h, batch, context, run, device_of).bytes(devices);
	for (uint32_t d = 0; d < devices; ++d) memory.devices[d].compute = compute[d];
	memory.host_output = uint64_t(h.n_vocab) * sizeof(float);
	return memory;
}

LlamaCppDevice LlamaCppMemory::total() const {
	return std::accumulate(devices.begin(), devices.end(), LlamaCppDevice{}, [](LlamaCppDevice sum, const LlamaCppDevice& device) {
		return LlamaCppDevice{sum.weights + device.weights, sum.cache + device.cache, sum.compute + device.compute, sum.layers + device.layers, sum.head || device.head};
	});
}

bool LlamaCppMemory::fits(std::span<const uint64_t> available) const {
	for (size_t i = 0; i < devices.size(); ++i) if (i >= available.size() || devices[i].bytes() > available[i]) return false;
	return true;
}

uint32_t llamaCppLargestContext(const Hyperparameters& h, std::span<const TensorInfo> tensors, LlamaCppRun run, std::span<const uint64_t> available, uint32_t most) {
	const auto fits = [&](uint32_t context) {
		run.context = context;
		return llamaCppMemory(h, tensors, run).fits(available);
	};
	const uint32_t step = uint32_t(llamaCppCells(1));
	uint32_t least = 0, top = uint32_t(divideUp(most, step));
	while (least < top) {
		const uint32_t middle = top - (top - least) / 2;
		if (fits(middle * step)) least = middle;
		else top = middle - 1;
	}
	return std::min(least * step, most);
}

}  // namespace vkq
