#include "ggufio/model_source.h"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace vkq {

namespace {

/// The number in "blk.NUMBER."; -1 for tensors of no layer, which come first.
int64_t layerOf(std::string_view name) {
	constexpr std::string_view kPrefix = "blk.";
	if (!name.starts_with(kPrefix)) return -1;
	int32_t layer = 0;
	const auto [end, status] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
	if (status != std::errc() || end == name.data() + name.size() || *end != '.') return -1;
	return layer;
}

class GgufSource final : public ModelSource {
public:
	GgufSource(GgufFile file, std::string name, TensorOrder order)
	    : file_(std::move(file)), name_(std::move(name)), tensors_(file_.tensors().begin(), file_.tensors().end()) {
		if (order == TensorOrder::Processing) std::sort(tensors_.begin(), tensors_.end(), tensorComesBefore);
		for (uint32_t shard = 0; shard < file_.shardCount(); ++shard) stored_bytes_ += file_.shardFileBytes(shard);
	}

	const Metadata& metadata() const override { return file_.metadata(); }
	std::span<const TensorInfo> tensors() const override { return tensors_; }
	uint64_t storedBytes() const override { return stored_bytes_; }
	std::string name() const override { return name_; }
	Bytes mapped(size_t tensor) const override { return file_.data(tensors_[tensor]); }

	Result<void> readRows(size_t tensor, uint64_t first_row, uint64_t rows, std::byte* out) const override {
		const TensorInfo& info = tensors_[tensor];
		assert(first_row <= info.rows() && rows <= info.rows() - first_row);
		return file_.read(info, first_row * info.rowBytes(), rows * info.rowBytes(), out);
	}

	Result<void> intact() const override { return file_.intact(); }

	void willNeed(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		const TensorInfo& info = tensors_[tensor];
		file_.willNeed(info, first_row * info.rowBytes(), rows * info.rowBytes());
	}
	void doneWith(size_t tensor, uint64_t first_row, uint64_t rows) const override {
		const TensorInfo& info = tensors_[tensor];
		file_.doneWith(info, first_row * info.rowBytes(), rows * info.rowBytes());
	}

private:
	GgufFile file_;
	std::string name_;
	std::vector<TensorInfo> tensors_;
	uint64_t stored_bytes_ = 0;
};

}  // namespace

bool tensorComesBefore(const TensorInfo& a, const TensorInfo& b) {
	const int64_t layer_a = layerOf(a.name), layer_b = layerOf(b.name);
	return layer_a != layer_b ? layer_a < layer_b : a.name < b.name;
}

Result<std::unique_ptr<ModelSource>> openGgufSource(const std::filesystem::path& path, TensorOrder order) {
	VKQ_TRY(GgufFile file, GgufFile::open(path));
	return std::unique_ptr<ModelSource>(std::make_unique<GgufSource>(std::move(file), path.string(), order));
}

}  // namespace vkq
