// Perplexity of the sample model on tests/data/corpus/valid-small.txt, context 256, as llama-perplexity counts: the second half of every
// chunk, the first token of each replaced by the beginning token. tests/golden has what llama-perplexity printed after each chunk, so that
// the first few, which a software device computes in seconds, have a figure of their own; VKQ_LONG_TESTS=1 asks for the whole text and all types.
#include "infer/session.h"
#include "infer/tokenizer.h"
#include "tests/infer/quantized_source.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

using namespace vkq;

namespace {

constexpr uint32_t kContext = 256;
constexpr size_t kFewChunks = 4;

bool longTests() {
	const char* wanted = std::getenv("VKQ_LONG_TESTS");
	return wanted && *wanted == '1';
}

struct PerplexityTest : testing::Test {
	std::unique_ptr<ModelSource> source;
	std::vector<Token> text;

	void SetUp() override {
		auto opened = openGgufSource(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf");
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		source = std::move(opened).value();
		auto tokenizer = Tokenizer::fromMetadata(source->metadata(), source->name());
		ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().message;
		std::ifstream file(std::filesystem::path(VKQ_SOURCE_DIR) / "tests/data/corpus/valid-small.txt", std::ios::binary);
		auto tokens = tokenizer->encode(std::string(std::istreambuf_iterator<char>(file), {}));
		ASSERT_TRUE(tokens.ok()) << tokens.error().message;
		text = std::move(tokens).value();
		bos = tokenizer->vocabulary().add_bos ? tokenizer->vocabulary().bos : kNoToken;
	}
	Token bos = kNoToken;

	/// Of the first chunks (all with long tests), and what the reference has there. Over few chunks the figures scatter more: the reference rounds inputs
	/// of quantized weights to other blocks than we do.
	void expectReferences(const ModelSource& model, const std::string& file_type) {
		std::ifstream file(std::filesystem::path(VKQ_SOURCE_DIR) / "tests/golden/orator-6m.perplexity.json");
		const auto running = nlohmann::json::parse(file)["after_chunk"][file_type].get<std::vector<double>>();
		const size_t chunks = longTests() ? running.size() : kFewChunks;
		const double wanted = running[chunks - 1], got = perplexity(model, {}, chunks);
		RecordProperty(file_type, std::to_string(got));
		const double tolerance = file_type == "F16" ? 0.0005 : longTests() ? 0.002 : 0.004;
		EXPECT_NEAR(got / wanted, 1.0, tolerance) << file_type << ": " << got << ", the reference " << wanted;
	}

	/// Over the first `chunks` chunks; 0: all.
	double perplexity(const ModelSource& model, SessionOptions options, size_t chunks = 0) {
		options.context = options.batch = options.logit_rows = kContext;
		auto session = Session::open(model, options);
		EXPECT_TRUE(session.ok()) << session.error().message;
		if (!session) return INFINITY;
		double nll = 0;
		size_t scored = 0;
		const size_t all = text.size() / kContext;
		for (size_t chunk = 0; chunk < (chunks ? std::min(chunks, all) : all); ++chunk) {
			std::vector<Token> tokens(text.begin() + std::ptrdiff_t(chunk * kContext), text.begin() + std::ptrdiff_t((chunk + 1) * kContext));
			if (bos != kNoToken) tokens[0] = bos;
			EXPECT_TRUE(session->rewind(0).ok());
			const auto fed = session->feedAll(tokens, kContext / 2, [&](size_t i, std::span<const float> logits) {
				if (i + 1 == tokens.size()) return true;
				const double most = *std::max_element(logits.begin(), logits.end());
				double sum = 0;
				for (const float logit : logits) sum += std::exp(logit - most);
				nll += std::log(sum) + most - logits[size_t(tokens[i + 1])];
				++scored;
				return true;
			});
			EXPECT_TRUE(fed.ok()) << fed.error().message;
		}
		return std::exp(nll / double(scored));
	}
};

}  // namespace

TEST_F(PerplexityTest, OfF16IsTheReferences) { expectReferences(*source, "F16"); }

TEST_F(PerplexityTest, OfFileTypesIsTheReferences) {
	std::ifstream file(std::filesystem::path(VKQ_SOURCE_DIR) / "tests/golden/orator-6m.golden.json");
	const auto golden = nlohmann::json::parse(file)["file_types"];
	std::vector<const char*> file_types{"Q4_K_M"};
	if (longTests()) file_types = {"Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0"};
	for (const char* file_type : file_types) {
		const auto& tensors = golden[file_type]["tensors"];
		const QuantizedSource quantized(*source, [&](const TensorInfo& tensor) { return typeFromName(std::string(tensors[tensor.name]["type"])).value(); });
		expectReferences(quantized, file_type);
	}
}

// That each type's cache is read as it was written is the matter of kernels.attention_test; here, what rounding it costs.
TEST_F(PerplexityTest, OfCacheTypesKeepsItsOrder) {
	const size_t chunks = longTests() ? 6 : 2;
	const auto of = [&](TensorType type, CacheMixing mixing) {
		const double ppl = perplexity(*source, {.k_type = type, .v_type = type, .mixing = mixing}, chunks);
		RecordProperty(std::string(typeName(type)) + (mixing == CacheMixing::On ? "_mixed" : ""), std::to_string(ppl));
		return ppl;
	};
	const double f16 = of(TensorType::F16, CacheMixing::Off);
	EXPECT_NEAR(of(TensorType::Q8_0, CacheMixing::Auto) / f16, 1.0, 0.001);
	std::vector<TensorType> coarse{TensorType::Q4_0};
	if (longTests()) {
		EXPECT_NEAR(of(TensorType::F32, CacheMixing::Off) / f16, 1.0, 0.0005);
		coarse = {TensorType::Q5_1, TensorType::Q5_0, TensorType::Q4_1, TensorType::Q4_0, TensorType::IQ4_NL};
	}
	for (const TensorType type : coarse) {
		EXPECT_LT(of(type, CacheMixing::On) / f16, 1.03) << typeName(type);
		EXPECT_LT(of(type, CacheMixing::Off) / f16, 1.05) << typeName(type);
	}
}
