// The sample model and text, opened once a test.
#pragma once

#include "eval/scoring.h"
#include "ggufio/model_source.h"
#include "infer/session.h"
#include "infer/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace vkq::test {

inline const std::filesystem::path kRoot = VKQ_SOURCE_DIR;
inline const std::filesystem::path kSampleModel = kRoot / "models/orator-6m-f16.gguf";
inline const std::filesystem::path kSampleText = kRoot / "tests/data/corpus/valid-small.txt";
constexpr uint32_t kSampleContext = 256;

struct SampleModel {
	std::unique_ptr<ModelSource> source;
	std::unique_ptr<Tokenizer> tokenizer;
	std::string text;

	SampleModel() {
		auto opened = openGgufSource(kSampleModel);
		if (!opened) throw std::runtime_error(opened.error().message);
		source = std::move(opened).value();
		auto made = Tokenizer::fromMetadata(source->metadata(), source->name());
		if (!made) throw std::runtime_error(made.error().message);
		tokenizer = std::make_unique<Tokenizer>(std::move(made).value());
		std::ifstream in(kSampleText, std::ios::binary);
		text.assign(std::istreambuf_iterator<char>(in), {});
	}

	TextChunks chunks(uint32_t most, uint32_t context = kSampleContext) const {
		auto cut = cutChunks(*tokenizer, text, context, most);
		if (!cut) throw std::runtime_error(cut.error().message);
		return std::move(cut).value();
	}

	/// Ready to score chunks of `context` tokens.
	static Session session(const ModelSource& model, SessionOptions options = {}, uint32_t context = kSampleContext) {
		auto opened = Session::open(model, scoringOptions(options, context));
		if (!opened) throw std::runtime_error(opened.error().message);
		return std::move(opened).value();
	}
};

}  // namespace vkq::test
