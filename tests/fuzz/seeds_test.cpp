// A fuzzer that starts from refused files finds nothing: every seed is accepted by its parser.

#include "tests/fuzz/seeds.h"

#include "ggufio/gguf_reader.h"
#include "ggufio/huggingface_config.h"
#include "ggufio/imatrix_file.h"
#include "ggufio/safetensors.h"
#include "ggufio/sentencepiece_model.h"
#include "ggufio/tokenizer_json.h"

#include <gtest/gtest.h>

using namespace vkq;
using namespace vkq::test;

namespace {

std::string_view textOf(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Runs `check` on every seed of the fuzzer; it gives an error's message, or nothing.
template <class Check>
void forEachSeed(const std::string& fuzzer, Check check) {
	const auto all = allSeeds();
	ASSERT_TRUE(all.contains(fuzzer));
	for (const auto& [name, bytes] : all.at(fuzzer)) {
		const auto result = check(bytes);
		EXPECT_TRUE(result.ok()) << fuzzer << "/" << name << ": " << (result.ok() ? "" : result.error().message);
	}
}

}  // namespace

TEST(FuzzSeeds, AreAcceptedByTheirParsers) {
	std::vector<std::string> warnings;
	forEachSeed("gguf", [](const auto& bytes) { return GgufFile::parse(bytes, "seed"); });
	forEachSeed("imatrix", [](const auto& bytes) { return parseImatrix(bytes, "seed"); });
	forEachSeed("safetensors", [](const auto& bytes) { return SafetensorsFile::parse(bytes, "seed"); });
	forEachSeed("sentencepiece", [&](const auto& bytes) { return readSentencePieceModel(textOf(bytes), "seed", 16, warnings); });
	forEachSeed("tokenizer_json", [&](const auto& bytes) { return readTokenizerJson(*parseJson(textOf(bytes), "seed"), "seed", 8, warnings); });
	forEachSeed("huggingface_config", [&](const auto& bytes) { return readHuggingFaceConfig(*parseJson(textOf(bytes), "seed"), "seed", warnings); });
	forEachSeed("tokenizer", [](const auto& bytes) { return GgufFile::parse(bytes, "seed"); });
}
