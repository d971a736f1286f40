#include "eval/tensor_errors.h"

#include "core/text.h"
#include "quant/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace vkq {

namespace {

constexpr uint64_t kSlabWeights = 1 << 20;
constexpr double kLeastLikeness = 0.5;   // mean cosine: two bits a weight keep 0.95, other weights have 0

struct Pair {
	size_t original = 0, model = 0;
};

/// Rows of one tensor as floats, slab after slab.
class RowReader {
public:
	RowReader(const ModelSource& source, size_t tensor) : source_(source), index_(tensor), tensor_(source.tensors()[tensor]) {}

	Result<const float*> read(uint64_t first, uint64_t rows) {
		stored_.resize(rows * tensor_.rowBytes());
		floats_.resize(rows * tensor_.ne[0]);
		VKQ_CHECK(source_.readRows(index_, first, rows, stored_.data()));
		for (uint64_t row = 0; row < rows; ++row)
			decodeRow(tensor_.type, stored_.data() + row * tensor_.rowBytes(), tensor_.ne[0], floats_.data() + row * tensor_.ne[0]);
		return floats_.data();
	}

private:
	const ModelSource& source_;
	size_t index_;
	const TensorInfo& tensor_;
	std::vector<std::byte> stored_;
	std::vector<float> floats_;
};

Result<const std::vector<float>*> importanceOf(const Imatrix* imatrix, const TensorInfo& tensor) {
	if (!imatrix) return nullptr;
	const auto found = imatrix->importance.find(tensor.name);
	if (found == imatrix->importance.end()) return nullptr;
	const uint64_t size = found->second.size();
	if (size != tensor.ne[0] && size != tensor.ne[0] * tensor.ne[2])
		return fail(ErrorCode::kInvalidData, fmt::format("{}: {} values for {}, whose rows have {}", quote(imatrix->file), size, quote(tensor.name), tensor.ne[0]),
		            "use the importance matrix of this model");
	return &found->second;
}

Result<TensorError> compareOne(const ModelSource& original, const ModelSource& model, const Pair& pair, const Imatrix* imatrix) {
	const TensorInfo &from = original.tensors()[pair.original], &to = model.tensors()[pair.model];
	TensorError error{from.name, from.type, to.type, from.ne[0], {}};
	VKQ_TRY(const std::vector<float>* importance, importanceOf(imatrix, from));
	RowReader originals(original, pair.original), decoded(model, pair.model);
	const uint64_t columns = from.ne[0], slab = std::max<uint64_t>(1, kSlabWeights / std::max<uint64_t>(1, columns));
	for (uint64_t first = 0; first < from.rows(); first += slab) {
		const uint64_t rows = std::min(slab, from.rows() - first);
		VKQ_TRY(const float* x, originals.read(first, rows));
		VKQ_TRY(const float* y, decoded.read(first, rows));
		for (uint64_t row = 0; row < rows; ++row) {
			const float* weights = nullptr;
			if (importance) weights = importance->data() + (importance->size() == columns ? 0 : (first + row) / from.ne[1] * columns);
			error.distortion.add(x + row * columns, y + row * columns, columns, weights);
		}
		original.doneWith(pair.original, first, rows);
		model.doneWith(pair.model, first, rows);
	}
	return error;
}

const char* const kHint = "compare a model with the original that it was made from";

Result<void> checkSameArchitecture(const ModelSource& original, const ModelSource& model) {
	const auto of = [](const ModelSource& source) { return source.metadata().string("general.architecture").value_or(""); };
	if (of(original) == of(model)) return {};
	return fail(ErrorCode::kInvalidData, fmt::format("{} is a {} and {} a {}: they cannot be compared", quote(original.name()), quote(of(original)), quote(model.name()), quote(of(model))), kHint);
}

/// Weights of another training have nothing in common, whatever their names and shapes; what is not a number says nothing. Vectors are left out: norms are alike in
/// all models.
Result<void> checkRelated(const ModelSource& original, const ModelSource& model, const std::vector<TensorError>& tensors) {
	double likeness = 0, weights = 0;
	for (const TensorError& error : tensors) {
		const double cosine = error.distortion.cosine();
		if (error.distortion.count() == error.columns || !std::isfinite(cosine)) continue;
		likeness += cosine * double(error.distortion.count());
		weights += double(error.distortion.count());
	}
	if (weights == 0 || likeness / weights >= kLeastLikeness) return {};
	return fail(ErrorCode::kInvalidData, fmt::format("{} was not made from {}: their weights have nothing in common (cosine {:.3f})", quote(model.name()), quote(original.name()), likeness / weights),
	            kHint);
}

}  // namespace

Result<TensorErrors> compareTensors(const ModelSource& original, const ModelSource& model, const Imatrix* imatrix, const TensorProgress& progress) {
	VKQ_CHECK(checkSameArchitecture(original, model));
	std::map<std::string_view, size_t> by_name;
	for (size_t i = 0; i < model.tensors().size(); ++i) by_name.emplace(model.tensors()[i].name, i);

	TensorErrors errors;
	std::vector<Pair> pairs;
	uint64_t weights = 0, all = 0, matched = 0, done = 0;
	for (size_t i = 0; i < original.tensors().size(); ++i) {
		const TensorInfo& tensor = original.tensors()[i];
		all += tensor.elements();
		const auto found = by_name.find(tensor.name);
		if (found == by_name.end()) {
			errors.only_in_original.push_back(tensor.name);
			continue;
		}
		const TensorInfo& other = model.tensors()[found->second];
		if (tensor.ne == other.ne) matched += tensor.elements();
		if (tensor.ne != other.ne) errors.of_other_shape.push_back(tensor.name);
		else if (!typeInfo(tensor.type).has_codec || !typeInfo(other.type).has_codec) errors.without_codec.push_back(tensor.name);
		else {
			pairs.push_back({i, found->second});
			weights += tensor.elements();
		}
		by_name.erase(found);
	}
	for (const auto& [name, index] : by_name) errors.only_in_model.emplace_back(name);
	if (2 * matched < all)
		return fail(ErrorCode::kInvalidData, fmt::format("{} has only {:.1f} % of the weights of {} under the same names and shapes", quote(model.name()), 100 * double(matched) / double(all), quote(original.name())),
		            kHint);
	if (pairs.empty()) return fail(ErrorCode::kInvalidData, fmt::format("{} and {} have no tensor in common that can be compared", quote(original.name()), quote(model.name())), kHint);

	for (const Pair& pair : pairs) {
		const TensorInfo& tensor = original.tensors()[pair.original];
		if (progress && !progress(done, weights, tensor.name)) return fail(ErrorCode::kInterrupted, "interrupted");
		VKQ_TRY(TensorError error, compareOne(original, model, pair, imatrix));
		errors.tensors.push_back(std::move(error));
		done += tensor.elements();
	}
	VKQ_CHECK(checkRelated(original, model, errors.tensors));
	// What is no number is worst of all; a comparison that it took part in would have no order.
	const auto harm = [](const TensorError& error) { return std::isnan(error.harm()) ? INFINITY : error.harm(); };
	std::sort(errors.tensors.begin(), errors.tensors.end(), [&](const TensorError& a, const TensorError& b) {
		return harm(a) != harm(b) ? harm(a) > harm(b) : a.name < b.name;
	});
	return errors;
}

}  // namespace vkq
