#include "quantize/mix.h"

#include "core/bytes.h"
#include "quant/codec.h"
#include "quant/distortion.h"
#include "quantize/host_encoder.h"
#include "quantize/parallel.h"
#include "quantize/slab.h"

#include <algorithm>
#include <optional>
#include <thread>

namespace vkq {

namespace {

/// Fewer rows say nothing about the others.
constexpr uint64_t kLeastRows = 8;

/// Types a tensor may take, by rising bytes.
std::vector<TensorType> suitedTypes(const TensorInfo& info, bool requantize) {
	std::vector<TensorType> types{info.type};
	if (typeInfo(info.type).quantized && !requantize) return types;
	for (const TypeInfo& type : allTypes()) {
		if (type.type == info.type || !type.has_codec) continue;
		if (!type.quantized && !(type.type == TensorType::F16 && info.type == TensorType::F32)) continue;
		const auto bytes = typeBytes(type.type, info.ne[0]);
		if (bytes && *bytes < *typeBytes(info.type, info.ne[0])) types.push_back(type.type);
	}
	return types;
}

/// Weights that are rounded at once when a whole tensor is.
constexpr uint64_t kRoundedAtOnce = 4 << 20;

const std::vector<float>* importanceOf(const TensorInfo& tensor, const Imatrix* imatrix) {
	if (!imatrix) return nullptr;
	const auto found = imatrix->importance.find(tensor.name);
	return found != imatrix->importance.end() && found->second.size() == tensor.ne[0] * tensor.ne[2] ? &found->second : nullptr;
}

struct KindSensitivity {
	std::string_view part;
	double sensitivity;   // of a tensor of a layer: of all layers together
	bool of_a_layer;
};
/// The first that is found in a name. Means of what measuring gives (docs/fitting.md); only their ratios matter.
constexpr KindSensitivity kPriors[] = {
	{"token_embd.weight", 0.1, false}, {"attn_qkv.weight", 0.1, true},    {"attn_q", 0.04, true},  {"attn_k", 0.05, true},   {"attn_v", 0.13, true},
	{"attn_output.weight", 0.1, true}, {"ffn_down", 0.4, true},           {"ffn_gate", 0.28, true}, {"ffn_up", 0.2, true},    {"output.weight", 0.8, false},
};
constexpr double kUnknown = 0.1;   // some other matrix of a layer

}  // namespace

const MixOption* MixTensor::find(TensorType type) const {
	const auto found = std::find_if(options.begin(), options.end(), [&](const MixOption& option) { return option.type == type; });
	return found == options.end() ? nullptr : &*found;
}

std::vector<MixTensor> openTensors(const ModelSource& source, const QuantizePlan& plan, const QuantizeOptions& options, const std::function<bool(size_t job)>& pinned) {
	std::vector<MixTensor> tensors;
	for (size_t j = 0; j < plan.jobs.size(); ++j) {
		const TensorInfo& to = plan.layout.tensors[j];
		const TensorInfo& from = source.tensors()[plan.jobs[j].source];
		if (!canQuantize({to.name, to.dimensions, to.ne, from.type}) || pinned(j)) continue;
		MixTensor tensor{j, plan.jobs[j].source, to.name, importanceOf(from, options.imatrix), 1, {}};
		for (const TensorType type : suitedTypes(from, options.allow_requantize))
			if (const auto bytes = typeBytes(type, to.elements())) tensor.options.push_back({type, alignUp(*bytes, plan.layout.alignment), 0});
		std::sort(tensor.options.begin(), tensor.options.end(),
		          [](const MixOption& a, const MixOption& b) { return a.file_bytes != b.file_bytes ? a.file_bytes < b.file_bytes : a.type < b.type; });
		tensors.push_back(std::move(tensor));
	}
	return tensors;
}

std::vector<uint64_t> sampledRows(uint64_t rows, uint64_t count) {
	std::vector<uint64_t> sample;
	count = std::min(rows, count);
	for (uint64_t i = 0; i < count; ++i) sample.push_back(uint64_t((double(i) + 0.5) * double(rows) / double(count)));
	return sample;
}

Result<double> sampledError(const ModelSource& source, const MixTensor& tensor, TensorType type, Search search, std::span<const uint64_t> rows) {
	const TensorInfo& info = source.tensors()[tensor.source];
	const uint64_t columns = info.ne[0];
	std::vector<std::byte> stored(info.rowBytes()), encoded(*typeBytes(type, columns));
	std::vector<float> original(columns), decoded(columns);
	Distortion distortion;
	for (const uint64_t row : rows) {
		VKQ_CHECK(source.readRows(tensor.source, row, 1, stored.data()));
		if (!rowsAreFinite({info.type, stored.data(), 1, columns}, 1)) return notFiniteError(source, info);
		decodeRow(info.type, stored.data(), columns, original.data());
		const float* importance = tensor.importance ? tensor.importance->data() + row / info.ne[1] * columns : nullptr;
		encodeRow(type, original.data(), columns, importance, encoded.data(), search);
		decodeRow(type, encoded.data(), columns, decoded.data());
		distortion.add(original.data(), decoded.data(), columns, importance);
	}
	const double root = distortion.hasImportance() ? distortion.weightedRelativeRmse() : distortion.relativeRmse();
	return root * root;
}

Result<void> sampleErrors(const ModelSource& source, std::vector<MixTensor>& tensors, const SampleOptions& options) {
	const unsigned threads = options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
	for (size_t t = 0; t < tensors.size(); ++t) {
		if (options.interrupted && options.interrupted->load()) return fail(ErrorCode::kInterrupted, "interrupted");
		MixTensor& tensor = tensors[t];
		const TensorInfo& info = source.tensors()[tensor.source];
		const auto rows = sampledRows(info.rows(), std::max(kLeastRows, options.weights / std::max<uint64_t>(1, info.ne[0])));
		std::vector<std::optional<Error>> errors(tensor.options.size());
		// A type a task: sums are made in one order, whatever the number of threads.
		parallelFor(threads, tensor.options.size(), [&](size_t o) {
			MixOption& option = tensor.options[o];
			if (option.type == info.type) return;
			if (auto error = sampledError(source, tensor, option.type, options.search, rows)) option.error = *error;
			else errors[o] = error.error();
		});
		for (const auto& error : errors)
			if (error) return *error;
		if (options.progress) options.progress(t + 1, tensors.size(), tensor.name);
	}
	return {};
}

Result<std::vector<std::byte>> roundedTensor(const ModelSource& source, const MixTensor& tensor, TensorType type, Search search, unsigned threads) {
	const TensorInfo& info = source.tensors()[tensor.source];
	if (!threads) threads = std::max(1u, std::thread::hardware_concurrency());
	std::vector<std::byte> values(info.bytes), encoded;
	std::vector<float> decoded;
	for (uint64_t row = 0; row < info.rows();) {
		const Slab slab = nextSlab(info, tensor.source, row, kRoundedAtOnce);
		std::byte* rows = values.data() + row * info.rowBytes();
		VKQ_CHECK(source.readRows(tensor.source, row, slab.rows, rows));
		const RowBlock block{info.type, rows, slab.rows, info.ne[0]};
		encoded.resize(*typeBytes(type, info.ne[0]) * slab.rows);
		decoded.resize(slab.rows * info.ne[0]);
		const float* importance = tensor.importance ? tensor.importance->data() + row / info.ne[1] * info.ne[0] : nullptr;
		if (!encodeRowsOnHost(block, type, importance, search, threads, encoded.data())) return notFiniteError(source, info);
		decodeRowsOnHost({type, encoded.data(), slab.rows, info.ne[0]}, threads, decoded.data());
		const auto* floats = reinterpret_cast<const std::byte*>(decoded.data());
		encodeRowsOnHost({TensorType::F32, floats, slab.rows, info.ne[0]}, info.type, nullptr, Search::kReference, threads, rows);
		row += slab.rows;
	}
	return values;
}

double priorSensitivity(std::string_view name, uint32_t layers, bool tied) {
	const double share = 1.0 / std::max(1u, layers);
	if (tied && name == "token_embd.weight") name = "output.weight";   // it is both: the greater counts
	for (const KindSensitivity& kind : kPriors)
		if (name.find(kind.part) != name.npos) return kind.of_a_layer ? kind.sensitivity * share : kind.sensitivity;
	return kUnknown * share;
}

std::vector<BudgetItem> budgetItems(std::span<const MixTensor> tensors, const std::function<uint64_t(const MixTensor&, const MixOption&)>& bytes) {
	std::vector<BudgetItem> items;
	for (const MixTensor& tensor : tensors) {
		BudgetItem item;
		for (const MixOption& option : tensor.options) item.push_back({bytes(tensor, option), tensor.sensitivity * option.error});
		items.push_back(std::move(item));
	}
	return items;
}

}  // namespace vkq
