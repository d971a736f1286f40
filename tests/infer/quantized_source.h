// A model source whose matrices are encoded by the host's codecs as they are read: quantized models without files.
#pragma once

#include "ggufio/model_source.h"
#include "quant/codec.h"
#include "quant/imatrix.h"

#include <cstring>
#include <functional>
#include <vector>

namespace vkq {

class QuantizedSource : public ModelSource {
public:
	/// `type_of` gives each tensor's type; the base (which holds F16, BF16 or F32) and the importance of dense weights, if given, must outlive this.
	QuantizedSource(const ModelSource& base, const std::function<TensorType(const TensorInfo&)>& type_of, const Imatrix* imatrix = nullptr) : base_(base), imatrix_(imatrix) {
		for (const TensorInfo& stored : base.tensors()) {
			TensorInfo tensor = stored;
			tensor.type = type_of(stored);
			tensor.bytes = typeBytes(tensor.type, tensor.ne[0]).value() * tensor.rows();
			tensors_.push_back(tensor);
		}
	}

	const Metadata& metadata() const override { return base_.metadata(); }
	std::span<const TensorInfo> tensors() const override { return tensors_; }
	uint64_t storedBytes() const override { return base_.storedBytes(); }
	std::string name() const override { return base_.name(); }
	Bytes mapped(size_t) const override { return {}; }
	Result<void> readRows(size_t index, uint64_t first, uint64_t rows, std::byte* out) const override {
		const TensorInfo &stored = base_.tensors()[index], &wanted = tensors_[index];
		std::vector<std::byte> bytes(rows * stored.rowBytes());
		VKQ_CHECK(base_.readRows(index, first, rows, bytes.data()));
		if (stored.type == wanted.type) {
			std::memcpy(out, bytes.data(), bytes.size());
			return {};
		}
		std::vector<float> row(stored.ne[0]);
		const float* importance = nullptr;
		if (imatrix_)
			if (const auto found = imatrix_->importance.find(stored.name); found != imatrix_->importance.end()) importance = found->second.data();
		for (uint64_t r = 0; r < rows; ++r) {
			decodeRow(stored.type, bytes.data() + r * stored.rowBytes(), stored.ne[0], row.data());
			encodeRow(wanted.type, row.data(), stored.ne[0], importance, out + r * wanted.rowBytes());
		}
		return {};
	}
	void willNeed(size_t, uint64_t, uint64_t) const override {}
	void doneWith(size_t, uint64_t, uint64_t) const override {}

private:
	const ModelSource& base_;
	const Imatrix* imatrix_;
	std::vector<TensorInfo> tensors_;
};

}  // namespace vkq
