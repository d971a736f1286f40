// Importance matrices: the reference's, measured on the device.
#include "eval/imatrix.h"
#include "tests/eval/sample_model.h"

#include <cmath>

using namespace vkq;
using namespace vkq::test;

// tests/golden/orator-6m-4-chunks.imatrix.gguf: llama-imatrix -c 256 --chunks 4 on the sample text.
TEST(Imatrix, OfTheSampleModelIsTheReferences) {
	const SampleModel sample;
	Session session = SampleModel::session(*sample.source);
	const auto ours = collectImatrix(session, *sample.source, sample.chunks(4));
	ASSERT_TRUE(ours.ok()) << ours.error().message;
	std::ifstream in(kRoot / "tests/golden/orator-6m-4-chunks.imatrix.gguf", std::ios::binary);
	const std::string image((std::istreambuf_iterator<char>(in)), {});
	const auto golden = parseImatrixSums(std::as_bytes(std::span(image)), "golden");
	ASSERT_TRUE(golden.ok()) << golden.error().message;
	EXPECT_EQ(ours->chunk_count, golden->chunk_count);
	EXPECT_EQ(ours->chunk_size, golden->chunk_size);
	ASSERT_EQ(ours->entries.size(), golden->entries.size());
	for (const auto& [name, wanted] : golden->entries) {
		ASSERT_TRUE(ours->entries.contains(name)) << name;
		const ImatrixSums::Entry& entry = ours->entries.at(name);
		EXPECT_EQ(entry.counts, wanted.counts) << name;
		ASSERT_EQ(entry.in_sum2.size(), wanted.in_sum2.size()) << name;
		double difference = 0, total = 0;
		for (size_t i = 0; i < wanted.in_sum2.size(); ++i) {
			difference += std::fabs(double(entry.in_sum2[i]) - wanted.in_sum2[i]);
			total += wanted.in_sum2[i];
		}
		EXPECT_LT(difference / total, 0.01) << name;
	}
}

TEST(Imatrix, StopsBetweenChunksAndLeavesTheSessionUsable) {
	const SampleModel sample;
	constexpr uint32_t kContext = 64;
	Session session = SampleModel::session(*sample.source, {}, kContext);
	const TextChunks chunks = sample.chunks(2, kContext);
	const auto stopped = collectImatrix(session, *sample.source, chunks, [](uint32_t, uint32_t, double) { return false; });
	ASSERT_FALSE(stopped.ok());
	EXPECT_EQ(stopped.error().code, ErrorCode::kInterrupted);
	ASSERT_TRUE(session.rewind(0).ok());
	EXPECT_TRUE(session.feed(chunks.chunk(0)).ok());   // the buffers that were recorded into are gone
}

TEST(Imatrix, OfAMixtureCountsTheTokensOfEachExpert) {
	auto source = openModelSource(kRoot / "tests/data/tiny-random/qwen3_moe");
	ASSERT_TRUE(source.ok()) << source.error().message;
	constexpr uint32_t kContext = 16;
	auto session = Session::open(**source, scoringOptions({}, kContext));
	ASSERT_TRUE(session.ok()) << session.error().message;
	const Hyperparameters& h = session->model();
	TextChunks chunks{kContext, {}, {}};
	for (uint32_t i = 0; i < 2 * kContext; ++i) chunks.tokens.push_back(Token(i * 7 % h.n_vocab));
	const auto sums = collectImatrix(*session, **source, chunks);
	ASSERT_TRUE(sums.ok()) << sums.error().message;
	const ImatrixSums::Entry &experts = sums->entries.at("blk.0.ffn_up_exps.weight"), &router = sums->entries.at("blk.0.ffn_gate_inp.weight");
	ASSERT_EQ(experts.counts.size(), h.n_expert);
	double tokens = 0, squares = 0, of_router = 0;
	for (const float count : experts.counts) tokens += count;
	for (const float sum : experts.in_sum2) squares += sum;
	for (const float sum : router.in_sum2) of_router += sum;
	EXPECT_EQ(tokens, 2.0 * kContext * h.n_expert_used);
	EXPECT_NEAR(squares / (of_router * h.n_expert_used), 1, 1e-4);   // each token's input goes to so many experts
	EXPECT_EQ(sums->entries.at("blk.0.ffn_down_exps.weight").counts, experts.counts);
}
