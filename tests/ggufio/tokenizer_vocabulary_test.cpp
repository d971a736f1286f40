// Real vocabularies (tests/data/vocab), written as Hugging Face writes them and read back: what the reference's converter made of
// the original files is what has to come out.

#include "ggufio/gguf_reader.h"
#include "ggufio/tokenizer_metadata.h"
#include "huggingface_model.h"
#include "sentencepiece_image.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

using namespace vkq;
using namespace vkq::test;

namespace {

struct RealVocabulary {
	std::vector<std::string> tokens, merges;
	std::vector<int32_t> types;
	std::vector<float> scores;

	explicit RealVocabulary(const std::string& name) {
		const auto file = GgufFile::open(std::filesystem::path(VKQ_VOCAB_DIR) / (name + ".gguf"));
		if (!file.ok()) {
			ADD_FAILURE() << file.error().message;
			return;
		}
		const Metadata& metadata = file->metadata();
		tokens = *metadata.strings("tokenizer.ggml.tokens");
		types = std::get<std::vector<int32_t>>(*metadata.array("tokenizer.ggml.token_type"));
		if (const auto* list = metadata.strings("tokenizer.ggml.merges")) merges = *list;
		if (const auto* list = metadata.array("tokenizer.ggml.scores")) scores = std::get<std::vector<float>>(*list);
	}
};

Metadata convert(const std::string& name, const std::string& text, uint64_t n_vocab) {
	const TempFolder folder;
	writeFile(folder / name, bytesOf(text));
	HuggingFaceConfig config;
	config.arch = "llama";
	config.n_vocab = n_vocab;
	config.json = json::object();
	Metadata metadata;
	std::vector<std::string> warnings;
	const auto done = appendTokenizerMetadata(folder.path(), config, metadata, warnings);
	EXPECT_TRUE(done.ok()) << done.error().message;
	EXPECT_TRUE(warnings.empty()) << warnings.front();
	return metadata;
}

const std::vector<int32_t>& typesOf(const Metadata& metadata) { return std::get<std::vector<int32_t>>(*metadata.array("tokenizer.ggml.token_type")); }
const std::vector<float>& scoresOf(const Metadata& metadata) { return std::get<std::vector<float>>(*metadata.array("tokenizer.ggml.scores")); }

}  // namespace

TEST(RealVocabularies, ByteLevelBpeComesBackTokenForToken) {
	for (const std::string name : {"gpt-2", "llama-bpe", "qwen2"}) {
		const RealVocabulary real(name);
		json tokenizer = {{"model", {{"type", "BPE"}, {"merges", real.merges}}}, {"pre_tokenizer", {{"type", "ByteLevel"}}}, {"added_tokens", json::array()}};
		json& vocab = tokenizer["model"]["vocab"] = json::object();
		for (size_t id = 0; id < real.tokens.size(); ++id) {
			if (real.types[id] == 1) vocab[real.tokens[id]] = id;
			else tokenizer["added_tokens"].push_back({{"id", id}, {"content", real.tokens[id]}, {"special", real.types[id] == 3}});
		}
		const Metadata metadata = convert("tokenizer.json", tokenizer.dump(), real.tokens.size());
		EXPECT_TRUE(*metadata.strings("tokenizer.ggml.tokens") == real.tokens) << name;
		EXPECT_TRUE(*metadata.strings("tokenizer.ggml.merges") == real.merges) << name;
		EXPECT_TRUE(typesOf(metadata) == real.types) << name;
	}
}

TEST(RealVocabularies, SentencePieceComesBackTokenForToken) {
	const RealVocabulary real("llama-spm");
	std::vector<SentencePiece> pieces;
	for (size_t id = 0; id < real.tokens.size(); ++id) pieces.push_back({real.tokens[id], real.scores[id], real.types[id]});
	const Metadata metadata = convert("tokenizer.model", sentencePieceImage(pieces), real.tokens.size());
	EXPECT_TRUE(*metadata.strings("tokenizer.ggml.tokens") == real.tokens);
	EXPECT_TRUE(scoresOf(metadata) == real.scores);
	EXPECT_TRUE(typesOf(metadata) == real.types);
}

TEST(RealVocabularies, SentencePieceAsBpeMergesInTheSameOrder) {
	const RealVocabulary real("llama-spm");
	std::map<std::string_view, size_t> ids;
	for (size_t id = 0; id < real.tokens.size(); ++id)
		if (real.types[id] == 1) ids.emplace(real.tokens[id], id);

	// As Hugging Face derives merges: every pair of tokens that makes a token, by its falling score.
	std::vector<size_t> by_score(real.tokens.size());
	std::iota(by_score.begin(), by_score.end(), size_t(0));
	std::stable_sort(by_score.begin(), by_score.end(), [&](size_t a, size_t b) { return real.scores[a] > real.scores[b]; });
	json merges = json::array(), vocab = json::object();
	std::vector<size_t> made;
	for (const size_t id : by_score) {
		const std::string& token = real.tokens[id];
		vocab[token] = id;
		if (real.types[id] != 1) continue;
		bool mergeable = false;
		for (size_t cut = 1; cut < token.size(); ++cut) {
			const std::string left = token.substr(0, cut), right = token.substr(cut);
			if (!ids.contains(left) || !ids.contains(right)) continue;
			merges.push_back(json::array({left, right}));
			mergeable = true;
		}
		if (mergeable) made.push_back(id);
	}
	ASSERT_GT(made.size(), 20000u);
	const json tokenizer = {{"model", {{"type", "BPE"}, {"byte_fallback", true}, {"unk_token", "<unk>"}, {"vocab", vocab}, {"merges", merges}}},
	                        {"normalizer", {{"type", "Prepend"}}}};
	const Metadata metadata = convert("tokenizer.json", tokenizer.dump(), real.tokens.size());
	EXPECT_EQ(metadata.string("tokenizer.ggml.model"), "llama");
	EXPECT_TRUE(*metadata.strings("tokenizer.ggml.tokens") == real.tokens);
	const std::vector<float>& scores = scoresOf(metadata);
	for (size_t i = 1; i < made.size(); ++i) ASSERT_GT(scores[made[i - 1]], scores[made[i]]) << real.tokens[made[i]];
	for (size_t id = 3; id < 259; ++id) EXPECT_EQ(typesOf(metadata)[id], 6);   // the bytes
}
