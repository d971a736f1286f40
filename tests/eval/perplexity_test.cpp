// Perplexity of the sample model over the first four chunks of the sample text, and what goes wrong.
#include "eval/perplexity.h"
#include "tests/eval/sample_model.h"

#include <cmath>
#include <limits>

using namespace vkq;
using namespace vkq::test;

namespace {

// llama-perplexity -c 64 --chunks 4 (its running figures); infer.perplexity_test has the whole text with longer chunks
constexpr uint32_t kContext = 64;
constexpr double kRunning[] = {11.8888, 10.8929, 11.8470, 14.1161};

}  // namespace

TEST(Perplexity, OfTheSampleModelIsTheReferencesChunkByChunk) {
	const SampleModel sample;
	Session session = SampleModel::session(*sample.source, {}, kContext);
	uint32_t told = 0;
	const auto measured = measurePerplexity(session, sample.chunks(4, kContext), [&](uint32_t done, uint32_t chunks, double) { return ++told == done && chunks == 4; });
	ASSERT_TRUE(measured.ok()) << measured.error().message;
	EXPECT_EQ(told, 4u);
	EXPECT_EQ(measured->positions, 4u * 31u);
	ASSERT_EQ(measured->running.size(), 4u);
	for (size_t chunk = 0; chunk < 4; ++chunk) EXPECT_NEAR(measured->running[chunk] / kRunning[chunk], 1, 0.002) << chunk;
	EXPECT_EQ(measured->running.back(), measured->value);
	EXPECT_GT(measured->error, 0);
}

TEST(Perplexity, StopsBetweenChunksWhenAsked) {
	const SampleModel sample;
	Session session = SampleModel::session(*sample.source, {}, kContext);
	const auto measured = measurePerplexity(session, sample.chunks(4, kContext), [](uint32_t, uint32_t, double) { return false; });
	ASSERT_FALSE(measured.ok());
	EXPECT_EQ(measured.error().code, ErrorCode::kInterrupted);
}

TEST(Perplexity, RefusesLogitsThatAreNotFinite) {
	const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
	for (const float bad : {nan, infinity}) {
		const float logits[] = {1, 2, bad, 4};
		const auto total = logSumExp(logits);
		ASSERT_FALSE(total.ok());
		EXPECT_EQ(total.error().code, ErrorCode::kInvalidData);
	}
	const float fine[] = {1000, 1000};
	const auto total = logSumExp(fine);
	ASSERT_TRUE(total.ok());
	EXPECT_NEAR(*total, 1000 + std::log(2.0), 1e-9);
}
