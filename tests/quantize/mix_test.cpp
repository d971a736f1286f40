// Candidates and their errors: what the sample says of the whole, and that it says the same every time.

#include "quantize/mix.h"

#include "quant/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

using namespace vkq;

namespace {

const std::filesystem::path kSample = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";

struct Mix : testing::Test {
	std::unique_ptr<ModelSource> source = std::move(openGgufSource(kSample)).value();
	QuantizeOptions options{.mixture = {.target = *findFileType("Q4_0"), .pure = true, .output_type = {}, .embedding_type = {}, .overrides = {}}};
	QuantizePlan plan = planQuantization(*source, options).value();
	std::vector<MixTensor> tensors = openTensors(*source, plan, options, [](size_t) { return false; });
};

}  // namespace

TEST_F(Mix, OpensEveryTensorThatMayBeQuantized) {
	EXPECT_EQ(tensors.size(), 44u);
	for (const MixTensor& tensor : tensors) {
		ASSERT_TRUE(tensor.find(TensorType::F16));
		EXPECT_EQ(tensor.options.back().type, TensorType::F16);   // as it is: the largest
		EXPECT_TRUE(tensor.find(TensorType::Q2_K) && tensor.find(TensorType::IQ4_XS) && tensor.find(TensorType::Q8_0));
		EXPECT_TRUE(std::is_sorted(tensor.options.begin(), tensor.options.end(), [](const auto& a, const auto& b) { return a.file_bytes < b.file_bytes; }));
	}
	const auto all_but_one = openTensors(*source, plan, options, [](size_t job) { return job == 0; });
	EXPECT_EQ(all_but_one.size(), 43u);
}

TEST_F(Mix, SamplesRowsEvenly) {
	EXPECT_EQ(sampledRows(100, 4), (std::vector<uint64_t>{12, 37, 62, 87}));
	EXPECT_EQ(sampledRows(3, 8), (std::vector<uint64_t>{0, 1, 2}));
	EXPECT_EQ(sampledRows(1u << 31, 2).back(), (uint64_t(1) << 29) * 3);
}

TEST_F(Mix, ASampleOfRowsTellsTheErrorOfAll) {
	// A sixteenth of the weights of a large tensor is far more than this.
	for (const MixTensor& tensor : tensors) {
		const TensorInfo& info = source->tensors()[tensor.source];
		std::vector<uint64_t> all(info.rows());
		std::iota(all.begin(), all.end(), 0);
		for (const TensorType type : {TensorType::Q3_K, TensorType::Q4_0, TensorType::Q6_K}) {
			const double sampled = sampledError(*source, tensor, type, Search::kReference, sampledRows(info.rows(), 64)).value();
			const double whole = sampledError(*source, tensor, type, Search::kReference, all).value();
			EXPECT_NEAR(sampled / whole, 1, 0.1) << tensor.name << " " << typeName(type);
		}
	}
}

TEST_F(Mix, ErrorsDoNotDependOnThreads) {
	tensors.resize(4);
	auto others = tensors;
	ASSERT_TRUE(sampleErrors(*source, tensors, {.weights = 1 << 13, .threads = 1, .progress = {}}));
	ASSERT_TRUE(sampleErrors(*source, others, {.weights = 1 << 13, .threads = 7, .progress = {}}));
	for (size_t t = 0; t < tensors.size(); ++t)
		for (size_t o = 0; o < tensors[t].options.size(); ++o) {
			EXPECT_EQ(tensors[t].options[o].error, others[t].options[o].error);
			EXPECT_EQ(tensors[t].options[o].error == 0, tensors[t].options[o].type == TensorType::F16);
		}
}

TEST_F(Mix, ARoundedTensorIsWhatDecodingGives) {
	const MixTensor& tensor = tensors[2];
	const TensorInfo& info = source->tensors()[tensor.source];
	const auto rounded = roundedTensor(*source, tensor, TensorType::Q4_K, Search::kReference, 2);
	ASSERT_TRUE(rounded);
	ASSERT_EQ(rounded->size(), info.bytes);
	std::vector<std::byte> stored(info.rowBytes()), encoded(*typeBytes(TensorType::Q4_K, info.ne[0]));
	std::vector<float> row(info.ne[0]), decoded(info.ne[0]);
	ASSERT_TRUE(source->readRows(tensor.source, 5, 1, stored.data()));
	decodeRow(info.type, stored.data(), info.ne[0], row.data());
	encodeRow(TensorType::Q4_K, row.data(), info.ne[0], nullptr, encoded.data());
	decodeRow(TensorType::Q4_K, encoded.data(), info.ne[0], decoded.data());
	encodeRow(info.type, decoded.data(), info.ne[0], nullptr, stored.data());
	EXPECT_TRUE(std::equal(stored.begin(), stored.end(), rounded->begin() + std::ptrdiff_t(5 * info.rowBytes())));
}

TEST(PriorSensitivity, PutsTheOutputBeforeTheRestAndSharesAKindBetweenLayers) {
	EXPECT_GT(priorSensitivity("output.weight", 32, false), priorSensitivity("blk.3.ffn_down.weight", 32, false));
	EXPECT_GT(priorSensitivity("blk.3.ffn_down.weight", 32, false), priorSensitivity("blk.3.attn_q.weight", 32, false));
	EXPECT_EQ(priorSensitivity("blk.3.attn_v.weight", 8, false), 2 * priorSensitivity("blk.7.attn_v.weight", 16, false));
	EXPECT_EQ(priorSensitivity("token_embd.weight", 8, true), priorSensitivity("output.weight", 8, false));
	EXPECT_LT(priorSensitivity("blk.0.attn_output.weight", 8, false), priorSensitivity("output.weight", 8, false));
}
