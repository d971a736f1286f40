// Errors of weights, tensor by tensor.
#include "eval/tensor_errors.h"
#include "ggufio/imatrix_file.h"
#include "tests/eval/sample_model.h"
#include "tests/infer/quantized_source.h"

#include <cmath>

using namespace vkq;
using namespace vkq::test;

namespace {

/// The sample model with tensors left out or under another shape.
class ChangedSource : public ModelSource {
public:
	ChangedSource(const ModelSource& base, const std::function<bool(TensorInfo&)>& keep) : base_(base) {
		for (size_t i = 0; i < base.tensors().size(); ++i) {
			TensorInfo tensor = base.tensors()[i];
			if (!keep(tensor)) continue;
			tensors_.push_back(tensor);
			from_.push_back(i);
		}
	}
	const Metadata& metadata() const override { return base_.metadata(); }
	std::span<const TensorInfo> tensors() const override { return tensors_; }
	uint64_t storedBytes() const override { return base_.storedBytes(); }
	std::string name() const override { return "changed"; }
	Bytes mapped(size_t) const override { return {}; }
	Result<void> readRows(size_t tensor, uint64_t first, uint64_t rows, std::byte* out) const override { return base_.readRows(from_[tensor], first, rows, out); }
	void willNeed(size_t, uint64_t, uint64_t) const override {}
	void doneWith(size_t, uint64_t, uint64_t) const override {}

private:
	const ModelSource& base_;
	std::vector<TensorInfo> tensors_;
	std::vector<size_t> from_;
};

}  // namespace

TEST(TensorErrors, OfAModelFromItselfAreNone) {
	const SampleModel sample;
	const auto errors = compareTensors(*sample.source, *sample.source);
	ASSERT_TRUE(errors.ok()) << errors.error().message;
	EXPECT_EQ(errors->tensors.size(), sample.source->tensors().size());
	for (const TensorError& error : errors->tensors) EXPECT_EQ(error.distortion.maxError(), 0) << error.name;
}

TEST(TensorErrors, RankTheTensorThatWasHurtMostFirst) {
	const SampleModel sample;
	const QuantizedSource coarse(*sample.source, [](const TensorInfo& tensor) {
		if (tensor.name == "blk.3.ffn_up.weight") return TensorType::Q2_K;
		return tensor.dimensions == 2 ? TensorType::Q8_0 : tensor.type;
	});
	const auto errors = compareTensors(*sample.source, coarse);
	ASSERT_TRUE(errors.ok()) << errors.error().message;
	EXPECT_EQ(errors->tensors[0].name, "blk.3.ffn_up.weight");
	EXPECT_EQ(errors->tensors[0].type, TensorType::Q2_K);
	EXPECT_GT(errors->tensors[0].harm(), 10 * errors->tensors[1].harm());
	EXPECT_LT(errors->tensors[0].worstColumn(), errors->tensors[0].columns);
	for (size_t i = 1; i < errors->tensors.size(); ++i) EXPECT_GE(errors->tensors[i - 1].harm(), errors->tensors[i].harm());
}

TEST(TensorErrors, EqualAPlainSumOverOneTensor) {
	const SampleModel sample;
	const QuantizedSource coarse(*sample.source, [](const TensorInfo& tensor) { return tensor.dimensions == 2 ? TensorType::Q4_0 : tensor.type; });
	auto imatrix = openImatrix(kRoot / "tests/golden/orator-6m.imatrix.gguf");
	ASSERT_TRUE(imatrix.ok()) << imatrix.error().message;
	const auto errors = compareTensors(*sample.source, coarse, &*imatrix);
	ASSERT_TRUE(errors.ok()) << errors.error().message;
	const std::string name = "blk.0.attn_k.weight";
	const auto found = std::find_if(errors->tensors.begin(), errors->tensors.end(), [&](const TensorError& error) { return error.name == name; });
	ASSERT_NE(found, errors->tensors.end());

	size_t index = 0;
	while (sample.source->tensors()[index].name != name) ++index;
	const TensorInfo &stored = sample.source->tensors()[index], &wanted = coarse.tensors()[index];
	const std::vector<float>& importance = imatrix->importance.at(name);
	std::vector<std::byte> from(stored.rowBytes()), to(wanted.rowBytes());
	std::vector<float> x(stored.ne[0]), y(stored.ne[0]);
	double error = 0, weighted = 0, weighted_original = 0, largest = 0;
	for (uint64_t row = 0; row < stored.rows(); ++row) {
		ASSERT_TRUE(sample.source->readRows(index, row, 1, from.data()).ok() && coarse.readRows(index, row, 1, to.data()).ok());
		decodeRow(stored.type, from.data(), stored.ne[0], x.data());
		decodeRow(wanted.type, to.data(), stored.ne[0], y.data());
		for (size_t i = 0; i < x.size(); ++i) {
			const double difference = double(x[i]) - y[i];
			error += difference * difference;
			weighted += importance[i] * difference * difference;
			weighted_original += importance[i] * double(x[i]) * x[i];
			largest = std::max(largest, std::fabs(difference));
		}
	}
	EXPECT_NEAR(found->distortion.rmse(), std::sqrt(error / double(stored.elements())), 1e-12);
	EXPECT_NEAR(found->distortion.weightedRelativeRmse(), std::sqrt(weighted / weighted_original), 1e-9);
	EXPECT_NEAR(found->distortion.maxError(), largest, 1e-9);
}

TEST(TensorErrors, NameWhatCannotBeCompared) {
	const SampleModel sample;
	const ChangedSource changed(*sample.source, [](TensorInfo& tensor) {
		if (tensor.name == "blk.1.ffn_up.weight") std::swap(tensor.ne[0], tensor.ne[1]);
		if (tensor.name == "blk.2.ffn_up.weight") tensor.name = "blk.2.another.weight";
		return tensor.name != "blk.0.attn_q.weight";
	});
	const auto errors = compareTensors(*sample.source, changed);
	ASSERT_TRUE(errors.ok()) << errors.error().message;
	EXPECT_EQ(errors->only_in_original, (std::vector<std::string>{"blk.0.attn_q.weight", "blk.2.ffn_up.weight"}));
	EXPECT_EQ(errors->only_in_model, std::vector<std::string>{"blk.2.another.weight"});
	EXPECT_EQ(errors->of_other_shape, std::vector<std::string>{"blk.1.ffn_up.weight"});
	EXPECT_EQ(errors->tensors.size(), sample.source->tensors().size() - 3);
}

TEST(TensorErrors, OfModelsThatAreNotRelatedAreRefused) {
	const SampleModel sample;
	const auto why = [&](const ModelSource& other) {
		const auto errors = compareTensors(*sample.source, other);
		EXPECT_FALSE(errors.ok());
		return errors.ok() ? std::string() : errors.error().message;
	};
	EXPECT_NE(why(ChangedSource(*sample.source, [](TensorInfo&) { return false; })).find("only 0.0 % of the weights"), std::string::npos);
	EXPECT_NE(why(ChangedSource(*sample.source, [](TensorInfo& tensor) { return tensor.name.starts_with("blk.0."); })).find("% of the weights"), std::string::npos);
	// The same names and shapes, but each layer's weights are those of another layer; the vocabulary's are left out.
	const ChangedSource turned(*sample.source, [](TensorInfo& tensor) {
		if (!tensor.name.starts_with("blk.")) return false;
		tensor.name[4] = char('0' + (tensor.name[4] - '0' + 1) % 6);
		return true;
	});
	EXPECT_NE(why(turned).find("nothing in common"), std::string::npos) << why(turned);
	const auto phi = openModelSource(kRoot / "tests/data/tiny-random/phi3");
	ASSERT_TRUE(phi.ok());
	EXPECT_NE(why(**phi).find("is a 'llama' and"), std::string::npos) << why(**phi);
}

TEST(TensorErrors, RefuseTheImportanceOfAnotherModel) {
	const SampleModel sample;
	const Imatrix imatrix{.file = "other.gguf", .datasets = {}, .importance = {{"blk.0.attn_q.weight", std::vector<float>(100)}}};
	const auto errors = compareTensors(*sample.source, *sample.source, &imatrix);
	ASSERT_FALSE(errors.ok());
	EXPECT_EQ(errors.error().code, ErrorCode::kInvalidData);
	EXPECT_NE(errors.error().message.find("blk.0.attn_q.weight"), std::string::npos);
}
