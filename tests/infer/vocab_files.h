// The four real vocabularies of tests/data/vocab, opened once a process.
#pragma once

#include "ggufio/gguf_reader.h"
#include "infer/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

namespace vkq::test {

inline const std::vector<std::string> kVocabularies = {"gpt-2", "llama-bpe", "llama-spm", "qwen2"};

inline std::filesystem::path vocabPath(const std::string& name) { return std::filesystem::path(VKQ_VOCAB_DIR) / (name + ".gguf"); }

inline const Tokenizer& tokenizerOf(const std::string& name) {
	static std::map<std::string, Tokenizer> open;
	if (const auto at = open.find(name); at != open.end()) return at->second;
	auto file = GgufFile::open(vocabPath(name));
	EXPECT_TRUE(file.ok()) << file.error().message;
	auto tokenizer = Tokenizer::fromMetadata(file->metadata(), name);
	EXPECT_TRUE(tokenizer.ok()) << tokenizer.error().message;
	return open.emplace(name, std::move(*tokenizer)).first->second;
}

inline std::string readAll(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	EXPECT_TRUE(in) << path;
	return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<Token> encode(const Tokenizer& tokenizer, std::string_view text, bool add_special = false, bool parse_special = false) {
	auto tokens = tokenizer.encode(text, add_special, parse_special);
	EXPECT_TRUE(tokens.ok()) << tokens.error().message;
	return *tokens;
}

}  // namespace vkq::test
