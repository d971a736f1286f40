#include "ggufio/huggingface_tensors.h"

#include "core/text.h"
#include "ggufio/huggingface_names.h"
#include "ggufio/huggingface_rope.h"
#include "ggufio/model_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

namespace vkq {

namespace {

std::string shapeText(std::span<const uint64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

/// What a matrix of this storage type is in GGUF.
Result<TensorType> matrixType(const SafetensorsFile& file, const SafetensorsTensor& tensor) {
	switch (tensor.type) {
	case SafetensorsType::F32: return TensorType::F32;
	case SafetensorsType::F16: return TensorType::F16;
	case SafetensorsType::BF16:
	case SafetensorsType::F8_E4M3: return TensorType::BF16;
	default:
		return fail(ErrorCode::kUnsupported,
		            fmt::format("{}: tensor {}: weights of type {} are not supported", file.name(), quote(tensor.name), safetensorsTypeName(tensor.type)),
		            "supported: F32, F16, BF16, and F8_E4M3 with scales");
	}
}

class Planner {
public:
	Planner(const HuggingFaceFiles& files, const HuggingFaceConfig& config, std::string_view model, std::vector<std::string>& warnings)
	    : files_(files), config_(config), model_(model), warnings_(warnings) {}

	Result<std::vector<TensorRecipe>> plan() {
		VKQ_CHECK(indexNames());
		for (const StoredName& row : modelNames()) {
			if (row.stored == "lm_head.weight") VKQ_CHECK(planHead(row));
			else VKQ_CHECK(planNamed(row, row.stored, std::string(row.gguf)));
		}
		for (uint64_t layer = 0; layer < config_.n_layer; ++layer) {
			for (const StoredName& row : layerNames()) {
				if (row.isOf(config_.family))
					VKQ_CHECK(planNamed(row, fmt::format("model.layers.{}.{}", layer, row.stored), fmt::format("blk.{}.{}", layer, row.gguf)));
			}
			if (config_.n_expert) VKQ_CHECK(planExperts(layer));
		}
		planRopeFactors();
		VKQ_CHECK(checkNothingIsLeft());
		std::sort(recipes_.begin(), recipes_.end(), [](const TensorRecipe& a, const TensorRecipe& b) { return tensorComesBefore(a.info, b.info); });
		return std::move(recipes_);
	}

private:
	Result<void> indexNames() {
		const bool bare = files_.tensors.contains("embed_tokens.weight");
		for (const auto& [name, stored] : files_.tensors) {
			const auto [place, fresh] = by_name_.emplace(plainName(name, bare), stored);
			if (!fresh) {
				return fail(ErrorCode::kMalformed, fmt::format("{}: tensors {} and {} are the same part of the model", model_,
				                                               quote(place->second.tensor->name), quote(name)));
			}
		}
		return {};
	}

	/// Marks the tensor as used; null when there is none.
	const StoredTensor* take(const std::string& name) {
		const auto found = by_name_.find(name);
		if (found == by_name_.end()) return nullptr;
		taken_.insert(found->first);
		return &found->second;
	}

	Error missing(std::string_view name) const { return fail(ErrorCode::kMalformed, fmt::format("{}: tensor {} is missing", model_, quote(name))); }

	Error wrong(const StoredTensor& stored, std::string reason, ErrorCode code = ErrorCode::kMalformed) const {
		return fail(code, fmt::format("{}: tensor {}: {}", files_.shards[stored.shard].name(), quote(stored.tensor->name), std::move(reason)));
	}

	Error wrongShape(const StoredTensor& stored, std::vector<uint64_t> expected) const {
		return wrong(stored, fmt::format("has shape {}, the config asks for {}", shapeText(stored.tensor->shape), shapeText(expected)));
	}

	/// Rows of a stored matrix or stack, with its scales where it is FP8.
	Result<RowSegment> segment(const StoredTensor& stored, const std::string& name, uint64_t first_row, uint64_t rows) {
		RowSegment segment{stored, first_row, rows, nullptr};
		if (stored.tensor->type != SafetensorsType::F8_E4M3) return segment;
		if (const auto known = scales_.find(name); known != scales_.end()) {
			segment.scales = known->second;
			return segment;
		}
		const StoredTensor* scale = nullptr;
		for (const std::string_view suffix : {"_scale_inv", "_scale"})
			if (!scale) scale = take(name + std::string(suffix));
		auto scales = std::make_shared<Fp8Scales>();
		if (scale) {
			VKQ_TRY(*scales, readFp8Scales(files_.shards[scale->shard], *scale->tensor, *stored.tensor, config_.fp8_block));
		} else {
			if (config_.fp8) return wrong(stored, fmt::format("is F8_E4M3, and its scales ({0}_scale or {0}_scale_inv) are missing", stored.tensor->name));
			// A plain cast to FP8 needs none: one scale of 1 for all.
			scales->matrix_rows = scales->block_rows = std::max<uint64_t>(stored.tensor->rows(), 1);
			scales->block_columns = std::max<uint64_t>(stored.tensor->rowElements(), 1);
		}
		segment.scales = scales_.emplace(name, std::move(scales)).first->second;
		return segment;
	}

	Result<void> add(TensorRecipe recipe, std::string name, uint32_t dimensions, std::array<uint64_t, 4> ne, TensorType type) {
		recipe.info.name = std::move(name);
		recipe.info.dimensions = dimensions;
		recipe.info.ne = ne;
		recipe.info.type = type;
		recipe.info.bytes = *typeBytes(type, recipe.info.elements());   // the config's bounds keep it far from overflow
		recipes_.push_back(std::move(recipe));
		return {};
	}

	Result<void> planNamed(const StoredName& row, std::string_view stored_name, std::string gguf_name) {
		const std::string name(stored_name);
		const StoredTensor* stored = take(name);
		if (!stored) {
			if (row.optional) return {};
			return missing(name);
		}
		const SafetensorsTensor& tensor = *stored->tensor;
		const uint64_t columns = extentOf(config_, row.columns), rows = extentOf(config_, row.rows);
		const SafetensorsFile& file = files_.shards[stored->shard];

		TensorRecipe recipe;
		if (config_.arch == "llama" && (row.kind == StoredName::Query || row.kind == StoredName::Key)) recipe.interleaved_head = config_.headDim();
		if (row.vector()) {
			if (tensor.shape != std::vector<uint64_t>{columns}) return wrongShape(*stored, {columns});
			VKQ_CHECK(matrixType(file, tensor));
			if (tensor.type == SafetensorsType::F8_E4M3) return wrong(*stored, "vectors of type F8_E4M3 are not supported", ErrorCode::kUnsupported);
			if (row.kind == StoredName::Norm && config_.gemma()) recipe.added = 1.0f;
			recipe.segments.push_back({*stored, 0, 1, nullptr});
			return add(std::move(recipe), std::move(gguf_name), 1, {columns, 1, 1, 1}, TensorType::F32);
		}

		// A vocabulary padded to a round number of rows: what has no token is cut off.
		const bool padded = row.rows == Extent::Vocab && tensor.shape.size() == 2 && tensor.shape[0] > rows;
		if (tensor.shape.size() != 2 || tensor.shape[1] != columns || (tensor.shape[0] != rows && !padded)) return wrongShape(*stored, {rows, columns});
		if (padded) warnings_.push_back(fmt::format("{} has {} rows for {} tokens: the rest is left out", name, tensor.shape[0], rows));
		VKQ_TRY(TensorType type, matrixType(file, tensor));
		if (row.kind == StoredName::Router) type = TensorType::F32;
		VKQ_TRY(RowSegment part, segment(*stored, name, 0, rows));
		recipe.segments.push_back(std::move(part));
		return add(std::move(recipe), std::move(gguf_name), 2, {columns, rows, 1, 1}, type);
	}

	/// The head is left out where it is the embedding.
	Result<void> planHead(const StoredName& row) {
		const std::string name(row.stored);
		const bool stored = by_name_.contains(name);
		const bool tied = config_.tied_embeddings.value_or(!stored || config_.gemma());
		if (tied || config_.family == HuggingFaceFamily::Gemma2) return take(name), Result<void>{};
		if (!stored) return missing(name);
		return planNamed(row, name, std::string(row.gguf));
	}

	struct ExpertMatrix {
		std::string_view gguf;
		std::array<std::string_view, 2> parts;   // in experts.N.
		std::string_view fused;                  // in experts.
		bool down;
		bool second_half;                        // of the fused one's rows
	};

	Result<void> planExperts(uint64_t layer) {
		constexpr std::array<ExpertMatrix, 3> kMatrices{{
		    {"ffn_gate_exps", {"gate_proj", "w1"}, "gate_up_proj", false, false},
		    {"ffn_up_exps", {"up_proj", "w3"}, "gate_up_proj", false, true},
		    {"ffn_down_exps", {"down_proj", "w2"}, "down_proj", true, false},
		}};
		const std::string experts = fmt::format("model.layers.{}.mlp.experts.", layer);
		for (const ExpertMatrix& matrix : kMatrices) {
			const uint64_t columns = matrix.down ? config_.expertWidth() : config_.n_embd;
			const uint64_t rows = matrix.down ? config_.n_embd : config_.expertWidth();
			TensorRecipe recipe;
			VKQ_TRY(const bool fused, planFusedExperts(matrix, experts, rows, columns, recipe));
			if (!fused) VKQ_CHECK(planSeparateExperts(matrix, experts, rows, columns, recipe));
			const StoredTensor& first = recipe.segments.front().stored;
			VKQ_TRY(const TensorType type, matrixType(files_.shards[first.shard], *first.tensor));
			VKQ_CHECK(add(std::move(recipe), fmt::format("blk.{}.{}.weight", layer, matrix.gguf), 3, {columns, rows, config_.n_expert, 1}, type));
		}
		return {};
	}

	Result<void> planSeparateExperts(const ExpertMatrix& matrix, const std::string& experts, uint64_t rows, uint64_t columns, TensorRecipe& recipe) {
		const bool new_names = by_name_.contains(fmt::format("{}0.{}.weight", experts, matrix.parts[0]));
		for (uint64_t expert = 0; expert < config_.n_expert; ++expert) {
			const std::string name = fmt::format("{}{}.{}.weight", experts, expert, matrix.parts[new_names ? 0 : 1]);
			const StoredTensor* stored = take(name);
			if (!stored) return missing(name);
			if (stored->tensor->shape != std::vector<uint64_t>{rows, columns}) return wrongShape(*stored, {rows, columns});
			if (expert > 0 && stored->tensor->type != recipe.segments.front().stored.tensor->type)
				return wrong(*stored, "is of another type than the layer's first expert");
			VKQ_TRY(RowSegment part, segment(*stored, name, 0, rows));
			recipe.segments.push_back(std::move(part));
		}
		return {};
	}

	/// gate_up_proj [experts, gate rows then up rows, columns], down_proj [experts, rows, columns]; false when there are none.
	Result<bool> planFusedExperts(const ExpertMatrix& matrix, const std::string& experts, uint64_t rows, uint64_t columns, TensorRecipe& recipe) {
		std::string name = experts + std::string(matrix.fused);
		const StoredTensor* stored = take(name);
		if (!stored) stored = take(name += ".weight");
		if (!stored) return false;
		const uint64_t stored_rows = matrix.down ? rows : 2 * rows;
		const std::vector<uint64_t> expected{config_.n_expert, stored_rows, columns};
		if (stored->tensor->shape != expected) return wrongShape(*stored, expected);
		for (uint64_t expert = 0; expert < config_.n_expert; ++expert) {
			VKQ_TRY(RowSegment part, segment(*stored, name, expert * stored_rows + (matrix.second_half ? rows : 0), rows));
			recipe.segments.push_back(std::move(part));
		}
		return true;
	}

	void planRopeFactors() {
		const auto table = [&](std::string name, std::vector<float> values) {
			TensorRecipe recipe;
			recipe.values = std::move(values);
			const uint64_t length = recipe.values.size();
			(void)add(std::move(recipe), std::move(name), 1, {length, 1, 1, 1}, TensorType::F32);
		};
		const HuggingFaceRope& rope = config_.rope;
		if (rope.type == "llama3") table("rope_freqs.weight", llama3RopeFactors(rope, config_.ropeDims()));
		if (rope.long_factors.empty() || config_.family != HuggingFaceFamily::Phi3) return;
		table("rope_factors_long.weight", {rope.long_factors.begin(), rope.long_factors.end()});
		table("rope_factors_short.weight", {rope.short_factors.begin(), rope.short_factors.end()});
	}

	Result<void> checkNothingIsLeft() {
		for (const auto& [name, stored] : by_name_) {
			if (taken_.contains(name) || isLeftOut(name)) continue;
			return wrong(stored, fmt::format("has no place in a {} of {} layers", config_.architecture, config_.n_layer), ErrorCode::kUnsupported);
		}
		return {};
	}

	const HuggingFaceFiles& files_;
	const HuggingFaceConfig& config_;
	std::string_view model_;
	std::vector<std::string>& warnings_;
	std::map<std::string, StoredTensor> by_name_;
	std::set<std::string_view> taken_;
	std::map<std::string, std::shared_ptr<const Fp8Scales>> scales_;
	std::vector<TensorRecipe> recipes_;
};

}  // namespace

Result<std::vector<TensorRecipe>> planHuggingFaceTensors(const HuggingFaceFiles& files, const HuggingFaceConfig& config, std::string_view model,
                                                         std::vector<std::string>& warnings) {
	return Planner(files, config, model, warnings).plan();
}

}  // namespace vkq
