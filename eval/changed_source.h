// A model with one tensor's values exchanged: same names, shapes and types, other numbers.
#pragma once

#include "ggufio/model_source.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace vkq {

class ChangedSource : public ModelSource {
public:
	/// `original` must outlive this.
	explicit ChangedSource(const ModelSource& original) : original_(original) {}

	/// `values`: the whole tensor in its own type. The one changed before is the original's again.
	void change(size_t tensor, std::vector<std::byte> values) {
		changed_ = tensor;
		values_ = std::move(values);
	}
	void restore() { changed_.reset(); }

	const Metadata& metadata() const override { return original_.metadata(); }
	std::span<const TensorInfo> tensors() const override { return original_.tensors(); }
	uint64_t storedBytes() const override { return original_.storedBytes(); }
	std::string name() const override { return original_.name(); }
	std::span<const std::string> warnings() const override { return original_.warnings(); }
	Bytes mapped(size_t tensor) const override { return tensor == changed_ ? Bytes(values_) : original_.mapped(tensor); }
	Result<void> readRows(size_t tensor, uint64_t first_row, uint64_t rows, std::byte* out) const override {
		if (tensor != changed_) return original_.readRows(tensor, first_row, rows, out);
		const uint64_t row_bytes = tensors()[tensor].rowBytes();
		std::copy_n(values_.data() + first_row * row_bytes, rows * row_bytes, out);
		return {};
	}
	Result<void> intact() const override { return original_.intact(); }
	void willNeed(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		if (tensor != changed_) original_.willNeed(tensor, first_row, rows);
	}
	void doneWith(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		if (tensor != changed_) original_.doneWith(tensor, first_row, rows);
	}

private:
	const ModelSource& original_;
	std::optional<size_t> changed_;
	std::vector<std::byte> values_;
};

}  // namespace vkq
