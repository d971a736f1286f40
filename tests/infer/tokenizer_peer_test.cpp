// The same texts through llama-tokenize. Needs VKQ_PEER, the command in front of a llama.cpp tool's name, which sees the
// current folder; skipped otherwise.
#include "ggufio/gguf_layout.h"
#include "random_text.h"
#include "tests/temp_folder.h"
#include "vocab_files.h"

#include <array>
#include <cstdio>
#include <cstdlib>

using namespace vkq;
using namespace vkq::test;

namespace {

/// What llama-tokenize makes of `text` with the vocabulary `name`.gguf in `folder`.
std::vector<Token> peerTokens(const TempFolder& folder, const std::string& name, const std::string& text, const std::string& flags) {
	std::ofstream(folder / "text.txt", std::ios::binary) << text;
	const std::string command = "cd " + folder.path().string() + " && " + std::getenv("VKQ_PEER") + " llama-tokenize -m " + name + ".gguf -f text.txt --ids --no-escape --log-disable " +
	                            flags + " 2>/dev/null";
	FILE* pipe = popen(command.c_str(), "r");
	std::string output;
	std::array<char, 4096> buffer;
	while (const size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
	EXPECT_EQ(pclose(pipe), 0) << command;
	std::vector<Token> tokens;
	for (size_t at = output.rfind('['); at != std::string::npos && at + 1 < output.size();) {
		char* end = nullptr;
		tokens.push_back(Token(std::strtol(output.c_str() + at + 1, &end, 10)));
		if (end == output.c_str() + at + 1) {
			tokens.pop_back();
			break;
		}
		at = output.find(',', size_t(end - output.c_str()));
	}
	return tokens;
}

/// Where two encodings part, in words that help.
std::string difference(const Tokenizer& tokenizer, const std::vector<Token>& ours, const std::vector<Token>& theirs) {
	size_t i = 0;
	while (i < ours.size() && i < theirs.size() && ours[i] == theirs[i]) ++i;
	if (i == ours.size() && i == theirs.size()) return {};
	const auto show = [&](const std::vector<Token>& tokens) {
		std::string text;
		for (size_t k = i > 3 ? i - 3 : 0; k < std::min(i + 8, tokens.size()); ++k) text += testing::PrintToString(std::string(tokenizer.piece(tokens[k], true))) + " ";
		return text;
	};
	return "at token " + std::to_string(i) + "\nours:   " + show(ours) + "\ntheirs: " + show(theirs);
}

void compare(const TempFolder& folder, const Tokenizer& tokenizer, const std::string& name, const std::string& text) {
	EXPECT_EQ(difference(tokenizer, encode(tokenizer, text, true), peerTokens(folder, name, text, "--no-parse-special")), "") << name;
	EXPECT_EQ(difference(tokenizer, encode(tokenizer, text, false, true), peerTokens(folder, name, text, "--no-bos")), "") << name << ", special tokens parsed";
}

}  // namespace

TEST(TokenizerPeer, GivesTheSameTokensForRandomTexts) {
	if (!std::getenv("VKQ_PEER")) GTEST_SKIP() << "VKQ_PEER is not set";
	TempFolder folder;
	for (const std::string& name : kVocabularies) {
		std::filesystem::copy_file(vocabPath(name), folder / (name + ".gguf"));
		const Tokenizer& tokenizer = tokenizerOf(name);
		std::mt19937 random(11);
		std::string text = readAll(VKQ_SOURCE_DIR "/tests/data/vocab/texts.inp");
		for (int i = 0; i < 3000; ++i) {
			text += randomText(random, random() % 20);
			if (random() % 4 == 0) text += tokenizer.vocabulary().texts[random() % tokenizer.size()];
			if (random() % 8 == 0 && tokenizer.vocabulary().bos != kNoToken) text += tokenizer.vocabulary().texts[tokenizer.vocabulary().bos];
		}
		compare(folder, tokenizer, name, text + ".");
	}
}

TEST(TokenizerPeer, GivesTheSameTokensForBrokenTexts) {
	if (!std::getenv("VKQ_PEER")) GTEST_SKIP() << "VKQ_PEER is not set";
	TempFolder folder;
	for (const std::string& name : kVocabularies) {
		std::filesystem::copy_file(vocabPath(name), folder / (name + ".gguf"));
		std::mt19937 random(12);
		compare(folder, tokenizerOf(name), name, randomBytes(random, 20000) + ".");
	}
}

TEST(TokenizerPeer, CutsWordsAlikeWithEveryPreTokenizer) {
	if (!std::getenv("VKQ_PEER")) GTEST_SKIP() << "VKQ_PEER is not set";
	TempFolder folder;
	auto file = GgufFile::open(vocabPath("qwen2"));
	ASSERT_TRUE(file.ok());
	for (const std::string name : {"default", "smollm", "falcon", "dbrx", "qwen35", "seed-coder", "bailingmoe", "tekken", "gpt-4o", "deepseek-llm", "deepseek-coder",
	                               "deepseek-v3", "bloom", "viking", "chatglm-bpe"}) {
		Metadata metadata = file->metadata();
		metadata.replace("tokenizer.ggml.pre", name);
		const auto layout = layOutGguf(metadata, {});
		ASSERT_TRUE(layout.ok());
		writeFile(folder / (name + ".gguf"), ggufHeader(metadata, *layout));
		auto tokenizer = Tokenizer::fromMetadata(metadata, name);
		ASSERT_TRUE(tokenizer.ok());
		std::mt19937 random(13);
		std::string text = readAll(VKQ_SOURCE_DIR "/tests/data/vocab/texts.inp");
		for (int i = 0; i < 1000; ++i) text += randomText(random, random() % 20);
		compare(folder, *tokenizer, name, text + ".");
		std::filesystem::remove(folder / (name + ".gguf"));
	}
}
