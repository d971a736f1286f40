#include "planner/pieces.h"

#include "core/bytes.h"
#include "planner/device_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace vkq {

namespace {

constexpr std::string_view kEmbedding = "token_embd.weight";

/// The most of `total`, in steps of `step`, whose size is within `limit`. 0: not even one step.
template <class Size>
uint64_t mostWithin(uint64_t total, uint64_t step, uint64_t limit, Size size) {
	if (size(total) <= limit) return total;
	uint64_t least = 0, most = total / step;   // in steps; size(least) fits
	while (least < most) {
		const uint64_t middle = most - (most - least) / 2;
		if (size(middle * step) <= limit) least = middle;
		else most = middle - 1;
	}
	return least * step;
}

uint64_t pieceLimit(const DeviceSpec& device) { return std::min(device.max_storage_range, device.max_allocation); }

Result<void> cutWeight(const TensorInfo& tensor, uint32_t index, const DeviceSpec& device, std::vector<Piece>& pieces) {
	if (tensor.dimensions <= 1) {
		pieces.push_back({What::Weight, index, alignUp(tensor.elements() * 4, kPlaneAlignment), 0, 1});
		return {};
	}
	if (!typeInfo(tensor.type).has_codec) {
		return fail(ErrorCode::kUnsupported, fmt::format("tensor {} is {}, which is not run here", tensor.name, typeName(tensor.type)));
	}
	const auto bytes = [&](uint64_t rows) {
		const auto layout = deviceLayout(tensor.type, tensor.ne[0], rows, device.interleave);
		return layout ? layout->bytes : UINT64_MAX;
	};
	const uint64_t rows = tensor.rows(), expert_rows = tensor.ne[1], limit = pieceLimit(device);
	if (bytes(std::min<uint64_t>(rows, device.interleave)) > limit) {
		return fail(ErrorCode::kDoesNotFit, fmt::format("tensor {}: {} rows of {} elements cannot be bound on {}", tensor.name, device.interleave,
		                                                tensor.ne[0], device.name));
	}
	// Whole experts where one can be bound and rows group evenly; else expert by expert, rows of each apart.
	const bool whole_experts = rows == expert_rows || (expert_rows % device.interleave == 0 && bytes(expert_rows) <= limit);
	const uint64_t span = whole_experts ? rows : expert_rows;
	const uint64_t step = rows == expert_rows ? device.interleave : whole_experts ? expert_rows : device.interleave;
	const uint64_t most = mostWithin(span, step, limit, bytes);
	for (uint64_t base = 0; base < rows; base += span) {
		for (uint64_t row = 0; row < span; row += most) {
			const uint64_t count = std::min(most, span - row);
			pieces.push_back({What::Weight, index, bytes(count), base + row, count});
		}
	}
	return {};
}

Result<void> cutCache(const Request& request, const DeviceSpec& device, uint32_t layer, What what, TensorType type, std::vector<Piece>& pieces) {
	const Hyperparameters& h = request.model;
	const uint64_t cells = cacheCells(request.context, request.batch, h.slides(layer) ? h.sliding_window : 0);
	const auto bytes = [&](uint64_t heads) {
		const auto layout = cacheLayout(type, h.head_dim, uint32_t(heads), cells);
		return layout ? layout->bytes : UINT64_MAX;
	};
	const uint64_t most = mostWithin(h.n_head_kv, 1, pieceLimit(device), bytes);
	if (most == 0) {
		return fail(ErrorCode::kDoesNotFit, fmt::format("one head's cache of {} tokens in {} is {} bytes, {} can bind {}", cells, typeName(type), bytes(1),
		                                                device.name, pieceLimit(device)), "lower the context, or use a smaller cache type");
	}
	for (uint64_t head = 0; head < h.n_head_kv; head += most) {
		const uint64_t count = std::min<uint64_t>(most, h.n_head_kv - head);
		pieces.push_back({what, layer, bytes(count), head, count});
	}
	return {};
}

/// Gathered on the host, or turned into Rotation there.
bool hostReads(const TensorInfo& tensor) { return tensor.name == kEmbedding || tensor.name.starts_with("rope_"); }

/// The embedding table of a tied model is its output matrix too.
bool deviceHolds(const Hyperparameters& model, const TensorInfo& tensor) {
	return !hostReads(tensor) || (tensor.name == kEmbedding && model.tied_embeddings);
}

}  // namespace

std::optional<uint32_t> layerOf(std::string_view name) {
	constexpr std::string_view kPrefix = "blk.";
	if (!name.starts_with(kPrefix)) return std::nullopt;
	uint32_t layer = 0;
	const char* first = name.data() + kPrefix.size();
	const auto [end, error] = std::from_chars(first, name.data() + name.size(), layer);
	if (error != std::errc{} || end == name.data() + name.size() || *end != '.') return std::nullopt;
	return layer;
}

Result<DeviceUnits> cutWeights(const Request& request, const DeviceSpec& device) {
	const Hyperparameters& h = request.model;
	DeviceUnits cut;
	cut.units.resize(h.n_layer + 1);
	for (uint32_t index = 0; index < request.tensors.size(); ++index) {
		const TensorInfo& tensor = request.tensors[index];
		if (hostReads(tensor)) cut.mapped_bytes += tensor.bytes;
		if (!deviceHolds(h, tensor)) continue;
		const auto layer = layerOf(tensor.name);
		if (layer && *layer >= h.n_layer) {
			return fail(ErrorCode::kInvalidData, fmt::format("tensor {} is beyond the model's {} layers", tensor.name, h.n_layer));
		}
		auto& pieces = cut.units[layer.value_or(h.n_layer)].weights;
		if (auto done = cutWeight(tensor, index, device, pieces); !done) return done.error();
	}
	for (Unit& unit : cut.units) {
		for (const Piece& piece : unit.weights) unit.weight_bytes += piece.bytes;
	}
	return cut;
}

Result<uint64_t> weightBytes(const Hyperparameters& model, const TensorInfo& tensor, const DeviceSpec& device) {
	if (!deviceHolds(model, tensor)) return uint64_t(0);
	std::vector<Piece> pieces;
	if (auto done = cutWeight(tensor, 0, device, pieces); !done) return done.error();
	uint64_t sum = 0;
	for (const Piece& piece : pieces) sum += alignUp(piece.bytes, device.offset_alignment);
	return sum;
}

Result<void> cutCaches(const Request& request, const DeviceSpec& device, DeviceUnits& cut) {
	for (uint32_t layer = 0; layer < request.model.n_layer; ++layer) {
		auto& caches = cut.units[layer].caches;
		caches.clear();
		if (auto done = cutCache(request, device, layer, What::KCache, request.k_type, caches); !done) return done;
		if (auto done = cutCache(request, device, layer, What::VCache, request.v_type, caches); !done) return done;
	}
	return {};
}

uint64_t layOutArena(const std::vector<ScratchBuffer>& buffers, uint32_t alignment, std::vector<ArenaSlot>& slots) {
	slots.clear();
	for (const ScratchBuffer& buffer : buffers) if (!buffer.host_visible) slots.push_back({buffer, 0});
	std::stable_sort(slots.begin(), slots.end(), [](const ArenaSlot& a, const ArenaSlot& b) { return a.buffer.bytes > b.buffer.bytes; });

	uint64_t arena = 0;
	std::vector<std::pair<uint64_t, uint64_t>> taken;   // [begin, end) of buffers alive at the same time, sorted
	for (size_t i = 0; i < slots.size(); ++i) {
		ArenaSlot& slot = slots[i];
		taken.clear();
		for (size_t j = 0; j < i; ++j) {
			const ScratchBuffer &a = slot.buffer, &b = slots[j].buffer;
			if (a.first <= b.last && b.first <= a.last) taken.emplace_back(slots[j].offset, slots[j].offset + b.bytes);
		}
		std::sort(taken.begin(), taken.end());
		uint64_t offset = 0;
		for (const auto& [begin, end] : taken) {
			if (offset + slot.buffer.bytes <= begin) break;
			offset = std::max(offset, alignUp(end, alignment));
		}
		slot.offset = offset;
		arena = std::max(arena, offset + slot.buffer.bytes);
	}
	return arena;
}

}  // namespace vkq
