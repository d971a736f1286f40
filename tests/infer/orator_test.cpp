// The shipped model end to end on the device, against the plain forward pass.
#include "infer/session.h"
#include "ref/forward.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

using namespace vkq;

namespace {

const std::filesystem::path kOrator = std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf";

std::vector<Token> someTokens(size_t count) {
	std::vector<Token> tokens{0};
	uint32_t state = 1;
	while (tokens.size() < count) {
		state = state * 1664525 + 1013904223;
		tokens.push_back(Token(state >> 21));
	}
	return tokens;
}

}  // namespace

TEST(Orator, LogitsEqualThePlainForwardPass) {
	auto source = openGgufSource(kOrator);
	ASSERT_TRUE(source.ok()) << source.error().message;
	auto session = Session::open(**source, {.context = 128, .logit_rows = 16, .k_type = TensorType::F32, .v_type = TensorType::F32, .validation = true});
	ASSERT_TRUE(session.ok()) << session.error().message;
	auto model = ref::load(**source);
	ASSERT_TRUE(model.ok()) << model.error().message;

	const auto tokens = someTokens(40);
	ref::Cache cache;
	const auto expected = ref::forward(*model, cache, std::vector<uint32_t>(tokens.begin(), tokens.end()), 128);
	size_t seen = 0;
	float worst = 0;
	const auto fed = session->feedAll(tokens, 0, [&](size_t i, std::span<const float> logits) {
		++seen;
		for (size_t t = 0; t < logits.size(); ++t) worst = std::max(worst, std::abs(logits[t] - expected[i * logits.size() + t]));
		return true;
	});
	ASSERT_TRUE(fed.ok()) << fed.error().message;
	EXPECT_EQ(seen, tokens.size());
	EXPECT_LT(worst, 1e-3f);
}
