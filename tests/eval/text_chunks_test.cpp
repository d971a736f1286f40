// How a text is cut into chunks.
#include "eval/text_chunks.h"
#include "tests/eval/sample_model.h"

using namespace vkq;
using namespace vkq::test;

namespace {

const SampleModel& sample() {
	static const SampleModel model;
	return model;
}

}  // namespace

TEST(TextChunks, AreWholeAndDropTheRest) {
	const auto all = sample().tokenizer->encode(sample().text);
	ASSERT_TRUE(all.ok());
	const TextChunks chunks = sample().chunks(0);
	EXPECT_EQ(chunks.count(), all->size() / kSampleContext);
	EXPECT_EQ(chunks.tokens.size(), size_t(chunks.count()) * kSampleContext);
	EXPECT_TRUE(std::equal(chunks.original.begin(), chunks.original.end(), all->begin()));
}

TEST(TextChunks, BeginWithTheBeginningTokenAndDifferInNothingElse) {
	const TextChunks chunks = sample().chunks(3);
	ASSERT_EQ(chunks.count(), 3u);
	for (size_t i = 0; i < chunks.tokens.size(); ++i) {
		if (i % kSampleContext == 0) EXPECT_EQ(chunks.tokens[i], sample().tokenizer->vocabulary().bos);
		else EXPECT_EQ(chunks.tokens[i], chunks.original[i]);
	}
	EXPECT_NE(chunks.original[kSampleContext], sample().tokenizer->vocabulary().bos);
}

TEST(TextChunks, ScoreTheSecondHalfButForTheLastToken) {
	TextChunks chunks{256, {}, {}};
	EXPECT_EQ(chunks.firstScored(), 128u);
	EXPECT_EQ(chunks.scoredPerChunk(), 127u);
	chunks.context = 5;
	EXPECT_EQ(chunks.firstScored(), 2u);
	EXPECT_EQ(chunks.scoredPerChunk(), 2u);
}

TEST(TextChunks, OfATextTooShortAreRefusedWithBothFigures) {
	const auto cut = cutChunks(*sample().tokenizer, "My friends, let us begin.", kSampleContext, 0);
	ASSERT_FALSE(cut.ok());
	EXPECT_EQ(cut.error().code, ErrorCode::kInvalidData);
	EXPECT_NE(cut.error().message.find("at least 512"), std::string::npos) << cut.error().message;
}

TEST(TextChunks, OfATinyContextAreRefused) {
	const auto cut = cutChunks(*sample().tokenizer, sample().text, 3, 0);
	ASSERT_FALSE(cut.ok());
	EXPECT_EQ(cut.error().code, ErrorCode::kUsage);
}
