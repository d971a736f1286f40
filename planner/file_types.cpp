#include "planner/file_types.h"

#include "core/bytes.h"

#include <fmt/format.h>

namespace vkq {

namespace {
constexpr uint64_t kTensorAlignment = 32;
}

Result<std::vector<TensorInfo>> tensorsAs(const MixtureModel& model, std::span<const TensorInfo> tensors, const FileTypeInfo& type) {
	std::vector<MixtureTensor> questions;
	questions.reserve(tensors.size());
	for (const TensorInfo& tensor : tensors) questions.push_back({tensor.name, tensor.dimensions, tensor.ne, tensor.type, false});
	const auto choices = chooseTypes(model, questions, MixtureOptions{.target = type});
	if (!choices) return choices.error();

	std::vector<TensorType> types;
	types.reserve(choices->size());
	for (const auto& choice : *choices) types.push_back(choice.type);
	return tensorsWith(tensors, types);
}

Result<std::vector<TensorInfo>> tensorsWith(std::span<const TensorInfo> tensors, std::span<const TensorType> types) {
	if (types.size() != tensors.size()) return fail(ErrorCode::kUsage, fmt::format("{} types for {} tensors", types.size(), tensors.size()));
	std::vector<TensorInfo> result(tensors.begin(), tensors.end());
	for (size_t i = 0; i < result.size(); ++i) {
		TensorInfo& tensor = result[i];
		tensor.type = types[i];
		const auto bytes = typeBytes(tensor.type, tensor.elements());
		if (!bytes || tensor.ne[0] % typeInfo(tensor.type).block_elements) {
			return fail(ErrorCode::kUnsupported, fmt::format("tensor {} cannot be stored as {}", tensor.name, typeName(tensor.type)));
		}
		tensor.bytes = *bytes;
	}
	return result;
}

uint64_t dataBytes(std::span<const TensorInfo> tensors) {
	uint64_t sum = 0;
	for (const TensorInfo& tensor : tensors) sum += alignUp(tensor.bytes, kTensorAlignment);
	return sum;
}

double bitsPerWeight(std::span<const TensorInfo> tensors) {
	double bytes = 0, elements = 0;
	for (const TensorInfo& tensor : tensors) bytes += double(tensor.bytes), elements += double(tensor.elements());
	return elements > 0 ? 8.0 * bytes / elements : 0.0;
}

}  // namespace vkq
