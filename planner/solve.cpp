#include "planner/solve.h"

#include "core/bytes.h"
#include "planner/device_layout.h"
#include "planner/packer.h"
#include "planner/pieces.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

namespace vkq {

namespace {

constexpr uint64_t kUploadStaging = 64 * kMiB;   // weights pass through it in turns; two halves keep the bus busy

/// A run of units on one device. Of its layers, the last `offloaded` have their weights in host memory; one more than
/// there are layers: the head too.
struct Share {
	uint32_t device;
	uint32_t first, count;
	uint32_t offloaded = 0;
};

/// Buffers of a step that the device cannot bind, whatever its memory.
std::optional<Error> unbindableScratch(const Request& request) {
	for (const DeviceSpec& device : request.devices) {
		for (const ScratchBuffer& buffer : scratchBuffers(request.model, {request.batch, request.logit_rows, request.context, true, request.float_inputs})) {
			if (buffer.bytes <= std::min(device.max_storage_range, device.max_allocation)) continue;
			return fail(ErrorCode::kDoesNotFit, fmt::format("scratch buffer '{}' of {} exceeds the {} that {} can bind", scratchName(buffer.id),
			                                                formatBytes(buffer.bytes), formatBytes(device.max_storage_range), device.name),
			            "lower --batch");
		}
	}
	return std::nullopt;
}

class Solver {
public:
	explicit Solver(const Request& request) : request_(request), unit_count_(request.model.n_layer + 1) {}

	Result<void> cutTheWeights() {
		for (const DeviceSpec& device : request_.devices) {
			auto cut = cutWeights(request_, device);
			if (!cut) return cut.error();
			cuts_.push_back(std::move(*cut));
		}
		order_.resize(request_.devices.size());
		std::iota(order_.begin(), order_.end(), 0u);
		std::stable_sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) { return request_.devices[a].bandwidth > request_.devices[b].bandwidth; });
		return {};
	}

	/// The parts that depend on the context.
	Result<void> cutTheRest() {
		if (auto limit = unbindableScratch(request_)) return *limit;
		for (size_t d = 0; d < cuts_.size(); ++d) {
			if (auto cut = cutCaches(request_, request_.devices[d], cuts_[d]); !cut) return cut;
		}
		return {};
	}

	std::optional<Plan> fitting() const {
		for (const uint32_t device : order_) {
			const Share whole{device, 0, unit_count_};
			if (atLeast(whole) > available(device)) continue;
			if (Plan plan = assemble({whole}); plan.fits) return plan;
		}
		if (order_.size() > 1) {
			if (Plan plan = assemble(fillInOrder(order_)); plan.fits) return plan;
		}
		return request_.offload == Offload::Layers ? offload() : std::nullopt;
	}

	/// Why nothing fits, on the layout that comes closest: the largest device takes what the others cannot hold.
	Plan refusal() const {
		const uint32_t largest = *std::max_element(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) { return available(a) < available(b); });
		std::vector<Share> shares = restOn(largest);
		if (request_.offload == Offload::Layers && !request_.devices[largest].unified) shares.back().offloaded = shares.back().count;
		Plan plan = assemble(shares);
		plan.fits = false;
		const Heap* worst = nullptr;
		uint64_t worst_shortage = 0;
		for (const Heap& heap : plan.heaps) {
			const uint64_t shortage = heap.planned - std::min(heap.planned, heap.available);
			plan.missing += shortage;
			if (shortage > worst_shortage) worst = &heap, worst_shortage = shortage;
		}
		if (worst) {
			plan.reason = fmt::format("{} would hold {} and has {} to give: {} are missing", worst->name, formatBytes(worst->planned),
			                          formatBytes(worst->available), formatBytes(worst_shortage));
		}
		return plan;
	}

private:
	uint64_t available(uint32_t device) const {
		const uint64_t all = request_.devices[device].available;
		return all - std::min(all, request_.reserve);
	}

	/// A lower bound of what a share that keeps its weights takes on its device: to dismiss most of them without packing.
	uint64_t atLeast(const Share& share) const {
		uint64_t sum = 0;
		for (uint32_t i = share.first; i < share.first + share.count; ++i) {
			const Unit& unit = cuts_[share.device].units[i];
			sum += unit.weight_bytes;
			for (const Piece& piece : unit.caches) sum += piece.bytes;
		}
		return sum;
	}

	/// Puts one share's things into blocks.
	void place(const Share& share, Plan& plan) const {
		const DeviceSpec& spec = request_.devices[share.device];
		const DeviceUnits& cut = cuts_[share.device];
		const uint32_t host_heap = spec.unified ? share.device : uint32_t(request_.devices.size());
		Packer local(plan.blocks, spec, share.device, share.device, spec.unified);
		Packer visible(plan.blocks, spec, share.device, host_heap, true);

		const auto put = [&](Packer& packer, const Piece& piece) {
			const auto at = packer.add(piece.bytes);
			plan.placements.push_back({piece.what, piece.index, share.device, at.block, at.offset, piece.bytes, piece.first, piece.count});
		};
		const uint32_t end = share.first + share.count;
		const bool has_head = end == unit_count_;
		const uint32_t layers = share.count - has_head;
		const uint32_t kept = layers - std::min(layers, share.offloaded);
		const bool head_offloaded = has_head && share.offloaded > layers;
		uint64_t largest = 0;
		for (uint32_t i = share.first; i < end; ++i) {
			const bool away = i == unit_count_ - 1 ? head_offloaded : i - share.first >= kept;
			for (const Piece& piece : cut.units[i].weights) {
				put(away ? visible : local, piece);
				largest = std::max(largest, piece.bytes);
			}
			(away ? plan.offloaded_weight_bytes : plan.weight_bytes) += cut.units[i].weight_bytes;
		}
		for (uint32_t i = share.first; i < end; ++i) {
			for (const Piece& piece : cut.units[i].caches) {
				put(local, piece);
				(piece.what == What::KCache ? plan.k_bytes : plan.v_bytes) += piece.bytes;
			}
		}

		const StepShape step{request_.batch, request_.logit_rows, request_.context, has_head, request_.float_inputs};
		const auto buffers = scratchBuffers(request_.model, step);
		std::vector<ArenaSlot> slots;
		const uint64_t arena = layOutArena(buffers, spec.offset_alignment, slots);
		const auto base = local.add(arena);
		for (const ArenaSlot& slot : slots) {
			plan.placements.push_back({What::Scratch, uint32_t(slot.buffer.id), share.device, base.block, base.offset + slot.offset, slot.buffer.bytes, 0, 1});
		}
		plan.scratch_bytes += arena;
		for (const ScratchBuffer& buffer : buffers) {
			if (!buffer.host_visible) continue;
			put(visible, {What::Scratch, uint32_t(buffer.id), buffer.bytes, 0, 1});
			plan.scratch_bytes += buffer.bytes;
		}
		// Weights are written through the map where memory is unified.
		if (const uint64_t staging = spec.unified ? 0 : std::min(2 * largest, kUploadStaging)) {
			put(visible, {What::Staging, 0, staging, 0, 1});
			plan.staging_bytes += staging;
		}

		plan.heaps[share.device].planned += local.finish();
		plan.heaps[host_heap].planned += visible.finish();
		if (layers) plan.layers.push_back({share.device, share.first, layers, layers - kept});
		if (has_head) {
			plan.output_device = share.device;
			plan.output_offloaded = head_offloaded;
		}
	}

	Plan assemble(const std::vector<Share>& shares) const {
		Plan plan;
		const uint32_t devices = uint32_t(request_.devices.size());
		for (uint32_t d = 0; d < devices; ++d) plan.heaps.push_back({request_.devices[d].name, d, available(d), 0});
		plan.heaps.push_back({"host", kNone, request_.host_available, 0});
		plan.mapped_bytes = cuts_.front().mapped_bytes;
		uint32_t placed = 0;
		for (const Share& share : shares) {
			if (share.count == 0) continue;
			place(share, plan);
			placed += share.count;
		}
		plan.fits = placed == unit_count_ && std::all_of(plan.heaps.begin(), plan.heaps.end(), [](const Heap& heap) { return heap.planned <= heap.available; });
		return plan;
	}

	bool shareFits(const Share& share) const {
		if (share.count == 0) return true;
		if (share.offloaded == 0 && atLeast(share) > available(share.device)) return false;
		const Plan plan = assemble({share});
		return std::all_of(plan.heaps.begin(), plan.heaps.end(), [](const Heap& heap) { return heap.planned <= heap.available; });
	}

	/// As many units on each device, in turn, as it holds.
	std::vector<Share> fillInOrder(const std::vector<uint32_t>& order) const {
		std::vector<Share> shares;
		uint32_t next = 0;
		for (const uint32_t device : order) {
			uint32_t least = 0, most = unit_count_ - next;
			while (least < most) {
				const uint32_t middle = most - (most - least) / 2;
				if (shareFits({device, next, middle})) least = middle;
				else most = middle - 1;
			}
			shares.push_back({device, next, least});
			next += least;
		}
		return shares;
	}

	/// Every device but `last` filled, the rest on `last`, none of it offloaded yet.
	std::vector<Share> restOn(uint32_t last) const {
		std::vector<uint32_t> others;
		std::copy_if(order_.begin(), order_.end(), std::back_inserter(others), [&](uint32_t device) { return device != last; });
		std::vector<Share> shares = fillInOrder(others);
		uint32_t next = 0;
		for (const Share& share : shares) next += share.count;
		shares.push_back({last, next, unit_count_ - next});
		return shares;
	}

	std::optional<Plan> offload() const {
		std::optional<Plan> best;
		for (const uint32_t last : order_) {
			if (request_.devices[last].unified) continue;   // its heap is the host's memory already
			std::vector<Share> shares = restOn(last);
			Share& rest = shares.back();
			uint32_t least = 0, most = rest.count;
			while (least < most) {
				rest.offloaded = least + (most - least) / 2;
				if (assemble(shares).fits) most = rest.offloaded;
				else least = rest.offloaded + 1;
			}
			rest.offloaded = least;
			Plan plan = assemble(shares);
			if (plan.fits && (!best || plan.offloaded_weight_bytes < best->offloaded_weight_bytes)) best = std::move(plan);
		}
		return best;
	}

	const Request& request_;
	uint32_t unit_count_;
	std::vector<DeviceUnits> cuts_;
	std::vector<uint32_t> order_;
};

Result<void> checkCacheType(const Hyperparameters& h, TensorType type, std::string_view which) {
	constexpr TensorType kAllowed[] = {TensorType::F32, TensorType::F16, TensorType::Q8_0, TensorType::Q4_0, TensorType::Q4_1,
	                                   TensorType::Q5_0, TensorType::Q5_1, TensorType::IQ4_NL};
	if (std::find(std::begin(kAllowed), std::end(kAllowed), type) == std::end(kAllowed)) {
		return fail(ErrorCode::kUsage, fmt::format("{} is no type for the {} cache", typeName(type), which), "types: f32 f16 q8_0 q5_1 q5_0 q4_1 q4_0 iq4_nl");
	}
	if (h.head_dim % typeInfo(type).block_elements) {
		return fail(ErrorCode::kUsage, fmt::format("heads of {} elements are not whole {} blocks of {}", h.head_dim, typeName(type), typeInfo(type).block_elements),
		            "use f16 for this model's cache");
	}
	return {};
}

Result<void> check(const Request& request) {
	const auto bad = [](std::string message) { return fail(ErrorCode::kUsage, std::move(message)); };
	const Hyperparameters& h = request.model;
	if (request.devices.empty()) return bad("there is no device to plan for");
	if (h.n_layer == 0 || h.n_head_kv == 0 || h.head_dim == 0 || request.tensors.empty()) return bad("there is no model to plan for");
	if (request.context == 0) return bad("a context of 0 tokens holds nothing");
	if (request.batch == 0 || request.logit_rows == 0) return bad("a step needs at least one token");
	for (const DeviceSpec& device : request.devices) {
		if (!std::has_single_bit(device.offset_alignment) || !std::has_single_bit(device.granularity) || device.interleave == 0 ||
		    device.max_allocation < device.granularity) {
			return bad(fmt::format("device {}: its limits make no sense", device.name));
		}
	}
	if (auto k = checkCacheType(h, request.k_type, "key"); !k) return k;
	return checkCacheType(h, request.v_type, "value");
}

}  // namespace

Result<Plan> solve(const Request& request) {
	if (auto checked = check(request); !checked) return checked.error();
	Solver solver(request);
	auto cut = solver.cutTheWeights();
	if (cut) cut = solver.cutTheRest();
	if (cut) {
		auto plan = solver.fitting();
		return plan ? std::move(*plan) : solver.refusal();
	}
	if (cut.error().code != ErrorCode::kDoesNotFit) return cut.error();
	Plan plan;
	plan.reason = cut.error().hint.empty() ? cut.error().message : fmt::format("{} ({})", cut.error().message, cut.error().hint);
	return plan;
}

uint32_t largestContext(const Request& request, uint32_t most) {
	if (most == 0 || !check(request)) return 0;
	Request shorter = request;
	Solver solver(shorter);
	if (!solver.cutTheWeights()) return 0;
	const auto fits = [&](uint32_t context) {
		shorter.context = context;
		return solver.cutTheRest().ok() && solver.fitting().has_value();
	};
	if (fits(most)) return most;
	uint32_t least = 0, top = (most - 1) / kCellAlignment;
	while (least < top) {
		const uint32_t middle = top - (top - least) / 2;
		if (fits(middle * kCellAlignment)) least = middle;
		else top = middle - 1;
	}
	return least * kCellAlignment;
}

uint64_t Plan::deviceBytes() const {
	uint64_t sum = 0;
	for (const Heap& heap : heaps) if (heap.device != kNone) sum += heap.planned;
	return sum;
}

uint64_t Plan::hostBytes() const {
	uint64_t sum = 0;
	for (const Heap& heap : heaps) if (heap.device == kNone) sum += heap.planned;
	return sum;
}

std::vector<const Placement*> findPlacements(const Plan& plan, What what, uint32_t index) {
	std::vector<const Placement*> found;
	for (const Placement& placement : plan.placements) if (placement.what == what && placement.index == index) found.push_back(&placement);
	return found;
}

}  // namespace vkq
