// Every family against what transformers computes in float32 (tests/data/tiny-random): logits within 1e-3, the greedy continuation equal.
// Weights are bfloat16 and exact in all implementations, arithmetic is single precision, the caches are F32: what remains is the
// order of sums, some 1e-6 of logits of size 1 (Gemma's: 1e-5 of its 30).
#include "infer/session.h"
#include "ref/forward.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>

using namespace vkq;

namespace {

constexpr float kTolerance = 1e-3f;

struct Expected {
	std::vector<Token> input, continuation;
	std::vector<size_t> rows;
	std::vector<float> logits;   // [rows][vocab]
};

std::filesystem::path folder(const std::string& family) { return std::filesystem::path(VKQ_SOURCE_DIR) / "tests/data/tiny-random" / family; }

Expected expectedOf(const std::string& family) {
	std::ifstream text(folder(family) / "expected.json");
	const auto json = nlohmann::json::parse(text);
	Expected expected{json["input_ids"], json["greedy_continuation"], json["logit_rows"], {}};
	expected.logits.resize(expected.rows.size() * size_t(json["vocab"]));
	std::ifstream(folder(family) / "expected_logits.f32", std::ios::binary).read(reinterpret_cast<char*>(expected.logits.data()), std::streamsize(expected.logits.size() * 4));
	return expected;
}

float worstDifference(const Expected& expected, size_t token, std::span<const float> logits) {
	const auto row = std::find(expected.rows.begin(), expected.rows.end(), token);
	if (row == expected.rows.end()) return 0;
	const float* wanted = expected.logits.data() + size_t(row - expected.rows.begin()) * logits.size();
	float worst = 0;
	for (size_t i = 0; i < logits.size(); ++i) worst = std::max(worst, std::abs(logits[i] - wanted[i]));
	return worst;
}

Token argmax(std::span<const float> logits) { return Token(std::max_element(logits.begin(), logits.end()) - logits.begin()); }

struct Families : testing::TestWithParam<const char*> {
	Expected expected;
	std::unique_ptr<ModelSource> source;
	void SetUp() override {
		expected = expectedOf(GetParam());
		auto opened = openHuggingFaceSource(folder(GetParam()));
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		source = std::move(opened).value();
	}
	Session open(SessionOptions options) {
		options.context = 128;
		auto session = Session::open(*source, options);
		if (!session) throw std::runtime_error(session.error().message + " " + session.error().hint);
		return std::move(session).value();
	}
};

}  // namespace

TEST_P(Families, PlainForwardPassGivesExpectedLogits) {
	auto model = ref::load(*source);
	ASSERT_TRUE(model.ok()) << model.error().message;
	ref::Cache cache;
	const auto logits = ref::forward(*model, cache, std::vector<uint32_t>(expected.input.begin(), expected.input.end()), 128);
	for (size_t i = 0; i < expected.input.size(); ++i) {
		EXPECT_LT(worstDifference(expected, i, std::span(logits).subspan(i * model->h.n_vocab, model->h.n_vocab)), kTolerance) << "token " << i;
	}
}

TEST_P(Families, DeviceGivesExpectedLogitsWhateverTheBatch) {
	// Steps that end within the text: of a plain model, of one with windows and caps, of one with experts.
	static const std::set<std::string_view> in_parts{"llama", "gemma2", "mixtral"};
	for (const uint32_t batch : {96u, 7u}) {
		if (batch == 7 && !in_parts.contains(GetParam())) continue;
		Session session = open({.batch = batch, .logit_rows = batch, .k_type = TensorType::F32, .v_type = TensorType::F32, .validation = true});
		float worst = 0;
		const auto fed = session.feedAll(expected.input, 0, [&](size_t i, std::span<const float> logits) {
			worst = std::max(worst, worstDifference(expected, i, logits));
			return true;
		});
		ASSERT_TRUE(fed.ok()) << fed.error().message;
		EXPECT_LT(worst, kTolerance) << "batch " << batch;
	}
}

TEST_P(Families, DeviceContinuesGreedilyAsExpected) {
	Session session = open({.batch = 33});   // caches of halves, steps of 33, a rest and 1
	auto logits = session.feed(expected.input);
	ASSERT_TRUE(logits.ok()) << logits.error().message;
	std::vector<Token> continuation;
	while (continuation.size() < expected.continuation.size()) {
		const Token next = argmax(*logits);
		continuation.push_back(next);
		logits = session.feed({&next, 1});
		ASSERT_TRUE(logits.ok()) << logits.error().message;
	}
	EXPECT_EQ(continuation, expected.continuation);
}

INSTANTIATE_TEST_SUITE_P(TinyRandom, Families,
                         testing::Values("gemma2", "gemma3_text", "llama", "llama3-rope", "mistral", "mixtral", "phi3", "qwen2", "qwen3", "qwen3_moe"),
                         [](const auto& family) { std::string name = family.param; std::replace(name.begin(), name.end(), '-', '_'); return name; });
