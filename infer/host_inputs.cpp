#include "infer/host_inputs.h"

#include "quant/codec.h"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

namespace vkq {

namespace {

constexpr size_t kMissing = SIZE_MAX;

size_t indexOf(std::span<const TensorInfo> tensors, std::string_view name) {
	for (size_t i = 0; i < tensors.size(); ++i)
		if (tensors[i].name == name) return i;
	return kMissing;
}

}  // namespace

Result<HostInputs> HostInputs::create(const ModelSource& source, const Hyperparameters& model, uint32_t context) {
	HostInputs inputs;
	inputs.source_ = &source;
	inputs.model_ = &model;
	inputs.table_ = indexOf(source.tensors(), "token_embd.weight");
	assert(inputs.table_ != kMissing);
	const TensorInfo& table = source.tensors()[inputs.table_];
	if (!typeInfo(table.type).has_codec) {
		return fail(ErrorCode::kUnsupported, fmt::format("{}: tensor {} is {}, which cannot be run", source.name(), table.name, typeName(table.type)));
	}
	std::vector<float> factors;
	if (const size_t index = indexOf(source.tensors(), ropeFactorTensor(model, context)); index != kMissing) {
		factors.resize(source.tensors()[index].elements());
		VKQ_CHECK(source.readRows(index, 0, 1, reinterpret_cast<std::byte*>(factors.data())));
		for (const float factor : factors)
			if (!(factor > 0)) return fail(ErrorCode::kInvalidData, fmt::format("{}: tensor {} holds {}", source.name(), source.tensors()[index].name, factor));
	}
	inputs.frequencies_.push_back(ropeFrequencies(model, false, factors));
	if (model.sliding_window) inputs.frequencies_.push_back(ropeFrequencies(model, true, factors));
	return inputs;
}

Result<void> HostInputs::embed(std::span<const Token> tokens, float* out) const {
	const TensorInfo& table = source_->tensors()[table_];
	const Bytes mapped = source_->mapped(table_);
	std::vector<std::byte> row(mapped.empty() ? table.rowBytes() : 0);
	for (const Token token : tokens) {
		const std::byte* stored = row.data();
		if (mapped.empty()) VKQ_CHECK(source_->readRows(table_, uint64_t(token), 1, row.data()));
		else stored = mapped.data() + uint64_t(token) * table.rowBytes();
		decodeRow(table.type, stored, model_->n_embd, out);
		if (model_->embedding_scale != 1.0f)
			for (uint32_t i = 0; i < model_->n_embd; ++i) out[i] *= model_->embedding_scale;
		out += model_->n_embd;
	}
	return source_->intact();
}

void HostInputs::rotate(uint32_t first_position, uint32_t tokens, float* out) const {
	for (const RopeFrequencies& rope : frequencies_) {
		for (uint32_t t = 0; t < tokens; ++t) {
			for (const double frequency : rope.frequency) {
				const double angle = (first_position + t) * frequency;
				*out++ = float(std::cos(angle) * rope.magnitude);
				*out++ = float(std::sin(angle) * rope.magnitude);
			}
		}
	}
}

}  // namespace vkq
