// Divergence: none of a model from itself, the reference's of a quantized model from its original.
#include "eval/divergence.h"
#include "tests/eval/sample_model.h"
#include "tests/infer/quantized_source.h"
#include "tests/temp_folder.h"

using namespace vkq;
using namespace vkq::test;

namespace {

constexpr uint32_t kContext = 64;   // short: what is shown here does not need more

}  // namespace

TEST(Divergence, OfAModelFromItselfIsNone) {
	const SampleModel sample;
	const TextChunks chunks = sample.chunks(2, kContext);
	Session model = SampleModel::session(*sample.source, {}, kContext), original = SampleModel::session(*sample.source, {}, kContext);
	const auto result = measureDivergence(model, original, chunks);
	ASSERT_TRUE(result.ok()) << result.error().message;
	EXPECT_EQ(result->positions, 2u * 31u);
	EXPECT_NEAR(result->kld.mean, 0, 1e-5);
	EXPECT_LT(result->maxKld(), 1e-4);
	EXPECT_EQ(result->same_top.mean, 1);
	EXPECT_NEAR(result->ratio.mean, 1, 1e-6);
	EXPECT_NEAR(result->correlation, 1, 1e-6);
}

TEST(Divergence, FromAFileIsTheSameAsFromTheModel) {
	const SampleModel sample;
	const TextChunks chunks = sample.chunks(2, kContext);
	const QuantizedSource coarse(*sample.source, [](const TensorInfo& tensor) { return tensor.dimensions == 2 ? TensorType::Q4_0 : tensor.type; });
	Session original = SampleModel::session(*sample.source, {}, kContext);
	const TempFolder folder;
	{
		auto writer = BaseLogitsWriter::create(folder / "base.bin", chunks, original.model().n_vocab, false);
		ASSERT_TRUE(writer.ok());
		ASSERT_TRUE(measurePerplexity(original, chunks, {}, [&](const ScoredPosition& position) { return writer->add(position.logits); }).ok());
		ASSERT_TRUE(writer->finish().ok());
	}
	const auto base = BaseLogits::open(folder / "base.bin");
	ASSERT_TRUE(base.ok()) << base.error().message;
	Session model = SampleModel::session(coarse, {}, kContext);
	const auto from_file = measureDivergence(model, chunksOf(*sample.tokenizer, base->tokens(), base->context()), *base);
	const auto from_model = measureDivergence(model, original, chunks);
	ASSERT_TRUE(from_file.ok() && from_model.ok());
	EXPECT_GT(from_model->kld.mean, 0.001);   // four bits cost something
	EXPECT_LT(from_model->same_top.mean, 1);
	EXPECT_NEAR(from_file->kld.mean / from_model->kld.mean, 1, 0.01);   // the file rounds to 16 bits
	EXPECT_NEAR(from_file->ratio.mean, from_model->ratio.mean, 1e-4);
	EXPECT_NEAR(from_file->same_top.mean, from_model->same_top.mean, 0.01);
}

TEST(Divergence, OfModelsWithOtherVocabulariesIsRefused) {
	const SampleModel sample;
	const TempFolder folder;
	TextChunks chunks{4, {0, 1, 2, 3}, {0, 1, 2, 3}};
	auto writer = BaseLogitsWriter::create(folder / "base.bin", chunks, 7, false);
	ASSERT_TRUE(writer.ok() && writer->add(std::vector<float>(7)).ok() && writer->finish().ok());
	const auto base = BaseLogits::open(folder / "base.bin");
	ASSERT_TRUE(base.ok());
	Session model = SampleModel::session(*sample.source, {}, kContext);
	const auto result = measureDivergence(model, chunks, *base);
	ASSERT_FALSE(result.ok());
	EXPECT_EQ(result.error().code, ErrorCode::kInvalidData);
	EXPECT_NE(result.error().message.find("2048 tokens and the original 7"), std::string::npos) << result.error().message;
}

TEST(Divergence, PercentilesLieBetweenNeighbours) {
	const std::vector<float> sorted{0, 1, 2, 3, 4};
	EXPECT_EQ(percentile(sorted, 0), 0);
	EXPECT_EQ(percentile(sorted, 0.5), 2);
	EXPECT_NEAR(percentile(sorted, 0.9), 3.6, 1e-6);
	EXPECT_EQ(percentile(sorted, 1), 4);
	EXPECT_EQ(percentile({}, 0.5), 0);
}
