#include "infer/generate.h"
#include "infer/session.h"
#include "tests/infer/quantized_source.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

using namespace vkq;

namespace {

Token argmax(std::span<const float> logits) { return Token(std::max_element(logits.begin(), logits.end()) - logits.begin()); }

struct SessionTest : testing::Test {
	std::unique_ptr<ModelSource> source;
	std::vector<Token> prompt{0};

	void SetUp() override { open(openGgufSource(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf")); }
	void open(Result<std::unique_ptr<ModelSource>> opened) {
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		source = std::move(opened).value();
		while (prompt.size() < 50) prompt.push_back(Token((prompt.size() * 7919) % 2048));
	}
	Session session(SessionOptions options = {}) {
		if (options.context == 0) options.context = 128;
		auto opened = Session::open(*source, options);
		if (!opened) throw std::runtime_error(opened.error().message);
		return std::move(opened).value();
	}
	static std::vector<float> feed(Session& session, std::span<const Token> tokens) {
		auto logits = session.feed(tokens);
		EXPECT_TRUE(logits.ok()) << logits.error().message;
		return logits ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
	}
	static std::vector<Token> continueGreedily(Session& session, std::vector<float> logits, size_t count) {
		std::vector<Token> tokens;
		while (tokens.size() < count) {
			tokens.push_back(argmax(logits));
			logits = feed(session, {&tokens.back(), 1});
		}
		return tokens;
	}
};

}  // namespace

TEST_F(SessionTest, SameTokensGiveSameBits) {
	Session first = session(), second = session();
	const auto logits = feed(first, prompt);
	EXPECT_EQ(logits, feed(second, prompt));
	ASSERT_TRUE(first.rewind(0).ok());
	EXPECT_EQ(logits, feed(first, prompt)) << "a cache that was used before";
}

TEST_F(SessionTest, BatchSizeDoesNotChangeTheMostLikelyToken) {
	const auto q4 = [](const TensorInfo& tensor) { return tensor.dimensions > 1 ? TensorType::Q4_K : tensor.type; };
	const QuantizedSource quantized(*source, q4);
	const std::vector<uint32_t> batches[] = {{1, 50}, {1, 3, 16, 50}};
	for (const bool of_blocks : {false, true}) {
		std::vector<std::vector<Token>> winners;
		for (const uint32_t batch : batches[of_blocks]) {
			auto opened = Session::open(of_blocks ? static_cast<const ModelSource&>(quantized) : *source, {.context = 128, .batch = batch, .logit_rows = batch, .k_type = TensorType::Q8_0, .v_type = TensorType::Q8_0});
			ASSERT_TRUE(opened.ok()) << opened.error().message;
			auto& of_batch = winners.emplace_back();
			ASSERT_TRUE(opened->feedAll(prompt, 0, [&](size_t, std::span<const float> logits) { of_batch.push_back(argmax(logits)); return true; }).ok());
		}
		for (const auto& of_batch : winners) EXPECT_EQ(of_batch, winners[0]);
	}
}

TEST_F(SessionTest, RewindingForgetsAndTheRestGoesOnAsBefore) {
	Session whole = session(), rewound = session();
	const auto logits = feed(whole, prompt);
	feed(rewound, std::span(prompt).first(30));
	const std::vector<Token> wrong{5, 6, 7, 8};
	feed(rewound, wrong);
	ASSERT_TRUE(rewound.rewind(30).ok());
	EXPECT_EQ(rewound.position(), 30u);
	EXPECT_EQ(continueGreedily(rewound, feed(rewound, std::span(prompt).subspan(30)), 8), continueGreedily(whole, logits, 8));
	EXPECT_EQ(rewound.rewind(100).error().code, ErrorCode::kUsage);
}

TEST_F(SessionTest, LayersSplitOverTwoDevicesGiveTheSameText) {
	Session one = session();
	const uint64_t all = one.plan().deviceBytes();
	Session two = session({.devices = {"0", "0"}, .device_limits = {all * 6 / 10, all * 8 / 10}});
	ASSERT_EQ(two.plan().layers.size(), 2u);
	EXPECT_LT(two.plan().layers[0].count, one.model().n_layer);
	const auto logits = feed(one, prompt);
	EXPECT_EQ(logits, feed(two, prompt));
	EXPECT_EQ(continueGreedily(one, logits, 8), continueGreedily(two, logits, 8));
}

TEST_F(SessionTest, AModelThatDoesNotFitIsRefusedWithNumbers) {
	const auto planned = Session::planOnly(*source, {.context = 128});
	ASSERT_TRUE(planned.ok()) << planned.error().message;
	const auto tight = Session::open(*source, {.context = 128, .device_limits = {planned->plan.deviceBytes() / 2}});
	EXPECT_EQ(tight.error().code, ErrorCode::kDoesNotFit);
	EXPECT_NE(tight.error().hint.find("missing"), std::string::npos) << tight.error().hint;
}

TEST_F(SessionTest, ACacheComesBackFromItsFile) {
	const test::TempFolder folder;
	for (const TensorType type : {TensorType::F16, TensorType::Q8_0}) {
		const auto path = folder / std::string(typeName(type));
		Session writer = session({.k_type = type, .v_type = type});
		const auto logits = feed(writer, prompt);
		ASSERT_TRUE(writer.save(path, prompt).ok());
		const auto expected = continueGreedily(writer, logits, 8);

		Session reader = session({.context = 256, .k_type = type, .v_type = type});
		auto tokens = reader.restore(path);
		ASSERT_TRUE(tokens.ok()) << tokens.error().message;
		EXPECT_EQ(*tokens, prompt);
		EXPECT_EQ(reader.position(), prompt.size());
		ASSERT_TRUE(reader.rewind(uint32_t(prompt.size()) - 1).ok());
		EXPECT_EQ(continueGreedily(reader, feed(reader, {&prompt.back(), 1}), 8), expected);
	}
	const auto file = folder / std::string("F16");
	EXPECT_EQ(session({.k_type = TensorType::Q4_1}).restore(file).error().code, ErrorCode::kInvalidData) << "another cache type";
	EXPECT_EQ(session({.context = 32}).restore(file).error().code, ErrorCode::kUsage) << "too small a context";
	const QuantizedSource other(*source, [](const TensorInfo& tensor) { return tensor.dimensions > 1 ? TensorType::Q8_0 : tensor.type; });
	EXPECT_EQ(Session::open(other, {.context = 128})->restore(file).error().code, ErrorCode::kInvalidData) << "another model";
}

TEST_F(SessionTest, DamagedCacheFilesAreRefusedAndLeaveTheSessionAlone) {
	const test::TempFolder folder;
	const auto path = folder / "cache.gguf";
	Session writer = session();
	feed(writer, prompt);
	ASSERT_TRUE(writer.save(path, prompt).ok());
	std::ifstream file(path, std::ios::binary);
	const std::string bytes(std::istreambuf_iterator<char>(file), {});
	for (const size_t length : {size_t(0), size_t(10), bytes.size() / 2, bytes.size() - 1}) {
		std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(length));
		EXPECT_FALSE(writer.restore(path).ok()) << length;
	}
	EXPECT_EQ(writer.position(), prompt.size());
	EXPECT_EQ(writer.restore(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf").error().code, ErrorCode::kMalformed);
}

TEST_F(SessionTest, WhatDoesNotGoIsSaid) {
	Session session_ = session({.context = 64});
	EXPECT_EQ(session_.feed({}).error().code, ErrorCode::kUsage);
	const Token outside = 2048, negative = -1;
	EXPECT_NE(session_.feed({&outside, 1}).error().message.find("vocabulary"), std::string::npos);
	EXPECT_EQ(session_.feed({&negative, 1}).error().code, ErrorCode::kUsage);
	const std::vector<Token> many(65, 1);
	EXPECT_NE(session_.feed(many).error().message.find("context"), std::string::npos);
	EXPECT_EQ(session_.position(), 0u) << "nothing was appended";
	EXPECT_EQ(feed(session_, std::span(many).first(64)).size(), 2048u);
	EXPECT_NE(session_.feed({many.data(), 1}).error().message.find("full"), std::string::npos);
	EXPECT_EQ(Session::open(*source, {.k_type = TensorType::Q4_K}).error().code, ErrorCode::kUsage);
	EXPECT_FALSE(Session::open(*source, {.devices = {"no such device"}}).ok());
}

TEST_F(SessionTest, LoadingCanBeStopped) {
	EXPECT_EQ(Session::open(*source, {.context = 128}, [](uint64_t done, uint64_t total) { return done < total / 2; }).error().code, ErrorCode::kInterrupted);
}

TEST_F(SessionTest, TheSameSeedGivesTheSameText) {
	auto tokenizer = Tokenizer::fromMetadata(source->metadata(), source->name());
	ASSERT_TRUE(tokenizer.ok());
	std::vector<std::string> texts;
	Session one = session();
	for (const uint64_t seed : {1u, 1u, 2u}) {
		ASSERT_TRUE(one.rewind(0).ok());
		auto sampler = Sampler::create({.seed = seed});
		auto text = generate(one, *tokenizer, *sampler, tokenizer->encode("It was").value(), {.most_tokens = 20});
		ASSERT_TRUE(text.ok()) << text.error().message;
		EXPECT_EQ(text->tokens.size(), 20u);
		EXPECT_EQ(text->reason, StopReason::Length);
		texts.push_back(text->text);
	}
	EXPECT_EQ(texts[0], texts[1]);
	EXPECT_NE(texts[0], texts[2]);
}

TEST_F(SessionTest, AnswersEndAtStopTextsFullContextsAndInterrupts) {
	auto tokenizer = Tokenizer::fromMetadata(source->metadata(), source->name());
	const auto question = tokenizer->encode("It was a bright morning, and the").value();
	Session small = session({.context = 32}), large = session({.context = 64});
	const auto ask = [&](Session& session, GenerateOptions options, const std::function<bool()>& interrupted = {}) {
		EXPECT_TRUE(session.rewind(0).ok());
		auto sampler = Sampler::create({.temperature = 0});
		return generate(session, *tokenizer, *sampler, question, options, {}, interrupted).value();
	};
	const auto full = ask(small, {.ignore_end = true});
	EXPECT_EQ(full.reason, StopReason::ContextFull);
	EXPECT_EQ(full.tokens.size(), 32 - question.size() + 1) << "the last one is sampled from a full context";
	const std::string stop = full.text.substr(5, 6);
	const auto stopped = ask(large, {.stops = {stop}});
	EXPECT_EQ(stopped.reason, StopReason::StopText);
	EXPECT_EQ(stopped.text, full.text.substr(0, full.text.find(stop)));
	int asked = 0;
	EXPECT_EQ(ask(large, {}, [&] { return ++asked > 3; }).reason, StopReason::Interrupted);
}
