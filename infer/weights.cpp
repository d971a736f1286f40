#include "infer/weights.h"

#include "core/bytes.h"
#include "core/units.h"
#include "kernels/device_layout.h"
#include "quant/codec.h"
#include "vk/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>

namespace vkq {

namespace {

constexpr uint64_t kSlabBytes = 4 * kMiB;   // of the file, repacked at a time

/// Writes pieces of weights, through the map where the host can see them, else through the plan's staging buffer.
class Uploader {
public:
	Uploader(const ModelSource& source, const Allocation& allocation, std::span<const Kernels> kernels, const LoadProgress& progress)
		: source_(source), allocation_(allocation), kernels_(kernels), progress_(progress) {
		for (const Placement& placement : allocation.plan().placements)
			if (placement.what == What::Weight) total_ += placement.bytes;
	}

	Result<void> vector(size_t tensor, const Placement& placement) {
		const TensorInfo& info = source_.tensors()[tensor];
		VKQ_TRY(const std::byte* stored, rows(tensor, 0, info.rows()));
		std::vector<float> values(info.elements());
		decodeRow(info.type, stored, info.elements(), values.data());
		VKQ_CHECK(allocation_.write(placement, 0, std::as_bytes(std::span(values))));
		return advance(placement.bytes);
	}

	Result<void> matrix(size_t tensor, const Placement& placement) {
		const TensorInfo& info = source_.tensors()[tensor];
		const uint32_t interleave = kernels_[placement.device].variant.interleave;
		const DeviceLayout layout = deviceLayout(info.type, info.ne[0], placement.count, interleave).value();
		assert(layout.bytes == placement.bytes);
		std::byte* mapped = allocation_.mapped(placement);
		const uint64_t slab_limit = mapped ? kSlabBytes : allocation_.staging(placement.device)->bytes;
		const uint64_t group_bytes = layout.bytes / std::max<uint64_t>(layout.padded_rows / interleave, 1) + kPlanes * kPlaneAlignment;
		const uint64_t slab = std::max<uint64_t>(std::min(slab_limit, kSlabBytes) / group_bytes, 1) * interleave;
		source_.willNeed(tensor, placement.first, placement.count);
		for (uint64_t row = 0; row < placement.count; row += slab) {
			const uint64_t count = std::min(slab, placement.count - row);
			VKQ_TRY(const std::byte* stored, rows(tensor, placement.first + row, count));
			if (mapped) {
				repackRows(info.type, layout, info.ne[0], interleave, row, count, stored, mapped);
			} else {
				VKQ_CHECK(throughStaging(info, placement, layout, row, count, stored));
			}
			VKQ_CHECK(advance(layout.bytes * count / placement.count));
		}
		source_.doneWith(tensor, placement.first, placement.count);
		return {};
	}

private:
	struct Region {
		uint64_t from, to, bytes;
	};

	/// A slab is laid out as a matrix of its own; each of its planes is one stretch of the same plane of the whole.
	Result<void> throughStaging(const TensorInfo& info, const Placement& placement, const DeviceLayout& layout, uint64_t row, uint64_t count, const std::byte* stored) {
		const uint32_t interleave = kernels_[placement.device].variant.interleave;
		const DeviceLayout part = deviceLayout(info.type, info.ne[0], count, interleave).value();
		assert(part.bytes <= allocation_.staging(placement.device)->bytes);
		repackRows(info.type, part, info.ne[0], interleave, 0, count, stored, allocation_.mapped(*allocation_.staging(placement.device)));
		std::vector<Region> regions;
		for (uint32_t plane = 0; plane < kPlanes; ++plane) {
			if (part.plane_bytes[plane]) regions.push_back({part.plane_offset[plane], layout.plane_offset[plane] + row * layout.row_words[plane] * 4, part.plane_bytes[plane]});
		}
		return copy(placement, regions);
	}

	Result<void> copy(const Placement& placement, const std::vector<Region>& regions) {
		const Placement& staging = *allocation_.staging(placement.device);
		VKQ_TRY(auto commands, vk::CommandBuffer::create(*kernels_[placement.device].device));
		VKQ_CHECK(commands.begin());
		for (const Region& region : regions) {
			commands.copy(allocation_.buffer(staging), staging.offset + region.from, allocation_.buffer(placement), placement.offset + region.to, region.bytes);
		}
		return commands.submitAndWait();
	}

	/// Rows as stored: from the map, or read into a buffer that lives until the next call.
	Result<const std::byte*> rows(size_t tensor, uint64_t first, uint64_t count) {
		const uint64_t row_bytes = source_.tensors()[tensor].rowBytes();
		if (const Bytes mapped = source_.mapped(tensor); !mapped.empty()) return mapped.data() + first * row_bytes;
		read_.resize(count * row_bytes);
		VKQ_CHECK(source_.readRows(tensor, first, count, read_.data()));
		return static_cast<const std::byte*>(read_.data());
	}

	Result<void> advance(uint64_t bytes) {
		done_ = std::min(total_, done_ + bytes);
		if (progress_ && !progress_(done_, total_)) return fail(ErrorCode::kInterrupted, "interrupted while loading the model");
		return {};
	}

	const ModelSource& source_;
	const Allocation& allocation_;
	std::span<const Kernels> kernels_;
	const LoadProgress& progress_;
	std::vector<std::byte> read_;
	uint64_t done_ = 0, total_ = 0;
};

/// Which member of LayerWeights a tensor of a layer fills.
vk::BufferView* vectorOf(LayerWeights& layer, std::string_view name) {
	static const std::map<std::string_view, vk::BufferView LayerWeights::*> kVectors{
		{"attn_norm.weight", &LayerWeights::attn_norm},     {"post_attention_norm.weight", &LayerWeights::post_attention_norm},
		{"ffn_norm.weight", &LayerWeights::ffn_norm},       {"post_ffw_norm.weight", &LayerWeights::post_ffw_norm},
		{"attn_q_norm.weight", &LayerWeights::attn_q_norm}, {"attn_k_norm.weight", &LayerWeights::attn_k_norm},
		{"attn_q.bias", &LayerWeights::q_bias},             {"attn_k.bias", &LayerWeights::k_bias},
		{"attn_v.bias", &LayerWeights::v_bias},
	};
	const auto found = kVectors.find(name);
	return found == kVectors.end() ? nullptr : &(layer.*found->second);
}

Matrix* matrixOf(LayerWeights& layer, std::string_view name) {
	static const std::map<std::string_view, Matrix LayerWeights::*> kMatrices{
		{"attn_q.weight", &LayerWeights::q},
		{"attn_k.weight", &LayerWeights::k},
		{"attn_v.weight", &LayerWeights::v},
		{"attn_qkv.weight", &LayerWeights::qkv},
		{"attn_output.weight", &LayerWeights::output},
		{"ffn_gate.weight", &LayerWeights::gate},
		{"ffn_up.weight", &LayerWeights::up},
		{"ffn_down.weight", &LayerWeights::down},
		{"ffn_gate_inp.weight", &LayerWeights::router},
		{"ffn_gate_exps.weight", &LayerWeights::gate_experts},
		{"ffn_up_exps.weight", &LayerWeights::up_experts},
		{"ffn_down_exps.weight", &LayerWeights::down_experts},
	};
	const auto found = kMatrices.find(name);
	return found == kMatrices.end() ? nullptr : &(layer.*found->second);
}

}  // namespace

Result<Weights> Weights::load(const ModelSource& source, const Hyperparameters& model, std::span<const TensorInfo> tensors, const Allocation& allocation,
                              std::span<const Kernels> kernels, const LoadProgress& progress) {
	Weights weights;
	weights.layers.resize(model.n_layer);
	Uploader uploader(source, allocation, kernels, progress);
	for (size_t i = 0; i < tensors.size(); ++i) {
		const TensorInfo& tensor = tensors[i];
		const auto pieces = findPlacements(allocation.plan(), What::Weight, uint32_t(i));
		if (pieces.empty()) continue;   // read by the host
		if (!typeInfo(tensor.type).has_codec) {
			return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is {}, which cannot be run", source.name(), tensor.name, typeName(tensor.type)));
		}
		uint32_t layer_index = 0;
		std::string_view name = tensor.name;
		LayerWeights* layer = nullptr;
		if (name.starts_with("blk.")) {
			const size_t dot = name.find('.', 4);
			layer_index = uint32_t(std::stoul(std::string(name.substr(4, dot - 4))));   // checkTensors() has seen the name
			layer = &weights.layers[layer_index];
			name = name.substr(dot + 1);
		}
		if (tensor.dimensions <= 1) {
			vk::BufferView* view = layer ? vectorOf(*layer, name) : name == "output_norm.weight" ? &weights.output_norm : nullptr;
			assert(view);
			*view = allocation.view(*pieces.front());
			VKQ_CHECK(uploader.vector(i, *pieces.front()));
			continue;
		}
		Matrix* matrix = layer ? matrixOf(*layer, name) : &weights.head;
		assert(matrix);
		*matrix = {tensor.type, uint32_t(tensor.ne[0]), uint32_t(tensor.ne[1]), uint32_t(tensor.ne[2]), {}};
		for (const Placement* piece : pieces) {
			matrix->pieces.push_back({allocation.view(*piece), piece->first, piece->count});
			VKQ_CHECK(uploader.matrix(i, *piece));
		}
	}
	VKQ_CHECK(source.intact());
	return weights;
}

Result<void> Weights::reload(const ModelSource& source, size_t tensor, const Allocation& allocation, std::span<const Kernels> kernels) {
	const LoadProgress unheard;
	Uploader uploader(source, allocation, kernels, unheard);
	for (const Placement* piece : findPlacements(allocation.plan(), What::Weight, uint32_t(tensor)))
		VKQ_CHECK(source.tensors()[tensor].dimensions <= 1 ? uploader.vector(tensor, *piece) : uploader.matrix(tensor, *piece));
	return {};
}

}  // namespace vkq
