// Small tokenizers made here: what metadata means, and what happens when it lies.
#include "infer/tokenizer.h"
#include "infer/utf8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

using namespace vkq;

namespace {

using Strings = std::vector<std::string>;

/// Bytes as a byte-level vocabulary writes them, for ASCII.
std::string byteLevel(unsigned char byte) {
	std::string text;
	appendUtf8(text, byte == ' ' ? 0x120 : byte == '\n' ? 0x10A : byte);
	return text;
}

/// Printable ASCII, space and line end as tokens, then `more`, merged by `merges`.
Metadata bytePairs(const Strings& more = {}, const Strings& merges = {}) {
	Strings tokens;
	for (unsigned char byte = ' '; byte < 0x7F; ++byte) tokens.push_back(byteLevel(byte));
	tokens.push_back(byteLevel('\n'));
	tokens.insert(tokens.end(), more.begin(), more.end());
	Metadata metadata;
	metadata.set("tokenizer.ggml.model", std::string("gpt2"));
	metadata.set("tokenizer.ggml.pre", std::string("gpt-2"));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>(tokens.size(), 1)));
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(tokens)));
	metadata.set("tokenizer.ggml.merges", MetaArray(merges));
	return metadata;
}

const std::string kMark = "\xE2\x96\x81";

/// <unk> <s> </s>, all byte tokens, then `more` with falling scores; the space mark among them to taste.
Metadata sentencePiece(const Strings& more = {}) {
	Strings tokens = {"<unk>", "<s>", "</s>"};
	std::vector<int32_t> kinds = {2, 3, 3};
	std::vector<float> scores(3, 0.0f);
	for (int byte = 0; byte < 256; ++byte) {
		char text[8];
		std::snprintf(text, sizeof text, "<0x%02X>", byte);
		tokens.push_back(text);
		kinds.push_back(6);
		scores.push_back(0);
	}
	for (const std::string& text : more) {
		tokens.push_back(text);
		kinds.push_back(1);
		scores.push_back(-float(tokens.size()));
	}
	Metadata metadata;
	metadata.set("tokenizer.ggml.model", std::string("llama"));
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(tokens)));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::move(kinds)));
	metadata.set("tokenizer.ggml.scores", MetaArray(std::move(scores)));
	return metadata;
}

void setKind(Metadata& metadata, Token token, TokenKind kind) {
	auto kinds = std::get<std::vector<int32_t>>(*metadata.array("tokenizer.ggml.token_type"));
	kinds[token] = int32_t(kind);
	metadata.replace("tokenizer.ggml.token_type", MetaArray(std::move(kinds)));
}

Token lastToken(const Metadata& metadata) { return Token(metadata.strings("tokenizer.ggml.tokens")->size()) - 1; }

Tokenizer open(const Metadata& metadata) {
	auto tokenizer = Tokenizer::fromMetadata(metadata, "m.gguf");
	EXPECT_TRUE(tokenizer.ok()) << (tokenizer.ok() ? "" : tokenizer.error().message);
	return std::move(*tokenizer);
}

std::string errorOf(const Metadata& metadata) {
	const auto tokenizer = Tokenizer::fromMetadata(metadata, "m.gguf");
	return tokenizer.ok() ? "(no error)" : tokenizer.error().message;
}

std::vector<std::string> pieces(const Tokenizer& tokenizer, std::string_view text, bool parse_special = false) {
	auto tokens = tokenizer.encode(text, false, parse_special);
	EXPECT_TRUE(tokens.ok());
	std::vector<std::string> all;
	for (const Token token : *tokens) all.emplace_back(tokenizer.piece(token, true));
	return all;
}

}  // namespace

TEST(BytePairs, MergesTheLowestRankFirstAndTheLeftmostOfEqual) {
	const Tokenizer tokenizer = open(bytePairs({"bc", "ab", "abc", "aa"}, {"b c", "a b", "ab c", "a a"}));
	EXPECT_EQ(pieces(tokenizer, "abc"), (Strings{"a", "bc"}));
	EXPECT_EQ(pieces(tokenizer, "abab"), (Strings{"ab", "ab"}));
	EXPECT_EQ(pieces(tokenizer, "aaa"), (Strings{"aa", "a"}));
}

TEST(BytePairs, TakesAWholeWordWhereMergesAreIgnored) {
	Metadata metadata = bytePairs({"abc"}, {});
	EXPECT_EQ(pieces(open(metadata), "abc"), (Strings{"a", "b", "c"}));
	metadata.replace("tokenizer.ggml.pre", std::string("llama-bpe"));
	EXPECT_EQ(pieces(open(metadata), "abc"), (Strings{"abc"}));
}

TEST(BytePairs, WritesBytesWithoutATokenAsUnknown) {
	Metadata metadata = bytePairs({"<unk>"}, {});
	setKind(metadata, lastToken(metadata), TokenKind::kUnknown);
	EXPECT_EQ(pieces(open(metadata), "a\xC3\xA9"), (Strings{"a"}));
	metadata.set("tokenizer.ggml.unknown_token_id", uint32_t(lastToken(metadata)));
	EXPECT_EQ(pieces(open(metadata), "a\xC3\xA9"), (Strings{"a", "<unk>", "<unk>"}));
}

TEST(BytePairs, NeverMakesAControlTokenOutOfPlainText) {
	Metadata metadata = bytePairs({"ab"}, {"a b"});
	const Token token = lastToken(metadata);
	setKind(metadata, token, TokenKind::kControl);
	EXPECT_EQ(errorOf(metadata), "m.gguf: merge 0, 'a b', names a text that is no token");
	metadata.replace("tokenizer.ggml.merges", MetaArray(Strings{}));
	metadata.replace("tokenizer.ggml.pre", std::string("llama-bpe"));
	EXPECT_EQ(pieces(open(metadata), "ab"), (Strings{"a", "b"}));
	EXPECT_EQ(pieces(open(metadata), "ab", true), (Strings{"ab"}));
}

TEST(SpecialTokens, CutsLongerOnesOutFirst) {
	Metadata metadata = bytePairs({"ab", "bcd", "cde"}, {});
	for (int i = 0; i < 3; ++i) setKind(metadata, lastToken(metadata) - i, TokenKind::kUserDefined);
	EXPECT_EQ(pieces(open(metadata), "abcde"), (Strings{"a", "bcd", "e"}));  // not "ab", and of "bcd" and "cde" the lower number
	EXPECT_EQ(pieces(open(metadata), "abxcdebcd"), (Strings{"ab", "x", "cde", "bcd"}));
}

TEST(SpecialTokens, CutsRunsFromTheLeft) {
	Metadata metadata = bytePairs({"\n\n", "\n\n\n"}, {});
	for (int i = 0; i < 2; ++i) setKind(metadata, lastToken(metadata) - i, TokenKind::kUserDefined);
	EXPECT_EQ(pieces(open(metadata), "\n\n\n\n\n\n\n\nx\n"), (Strings{"\n\n\n", "\n\n\n", "\n\n", "x", "\n"}));
}

TEST(SpecialTokens, SwallowWhiteSpaceInPhi3) {
	Metadata metadata = sentencePiece({kMark, "<|user|>", "a"});
	setKind(metadata, lastToken(metadata) - 1, TokenKind::kControl);
	EXPECT_EQ(pieces(open(metadata), "<|user|>\n a", true), (Strings{"<|user|>", " ", "\n", " ", "a"}));
	metadata.set("general.architecture", std::string("phi3"));
	EXPECT_EQ(pieces(open(metadata), "<|user|>\n a", true), (Strings{"<|user|>", " ", "a"}));
}

TEST(SentencePiece, MergesTheHighestScoreFirst) {
	const Tokenizer tokenizer = open(sentencePiece({kMark, "a", "b", "c", "bc", "ab"}));
	EXPECT_EQ(pieces(tokenizer, "abc"), (Strings{" ", "a", "bc"}));
	EXPECT_EQ(tokenizer.decode(*tokenizer.encode("abc", true)), "abc");
}

TEST(SentencePiece, FallsBackToBytesAndThenToUnknown) {
	EXPECT_EQ(pieces(open(sentencePiece()), "\xC3\xA9"), (Strings{"\xE2", "\x96", "\x81", "\xC3", "\xA9"}));
	Metadata metadata;
	metadata.set("tokenizer.ggml.model", std::string("llama"));
	metadata.set("tokenizer.ggml.add_space_prefix", false);
	metadata.set("tokenizer.ggml.tokens", MetaArray(Strings{"<unk>", "<s>", "</s>", "a"}));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>{2, 3, 3, 1}));
	metadata.set("tokenizer.ggml.scores", MetaArray(std::vector<float>{0, 0, 0, -1}));
	EXPECT_EQ(*open(metadata).encode("ab", false), (std::vector<Token>{3, 0}));
}

TEST(SentencePiece, MergesAcrossWordsWhereTheVocabularyDoes) {
	const Tokenizer tokenizer = open(sentencePiece({"a", kMark, "a" + kMark, "a" + kMark + "a"}));
	EXPECT_EQ(pieces(tokenizer, "a a"), (Strings{" ", "a a"}));
}

TEST(SentencePiece, NeverMakesAControlTokenOutOfPlainText) {
	const Tokenizer tokenizer = open(sentencePiece({kMark, "<", "/", "s", ">", "</", "</s"}));
	EXPECT_EQ(pieces(tokenizer, "</s>"), (Strings{" ", "</s", ">"}));
	const auto tokens = tokenizer.encode("</s>", false);
	EXPECT_EQ(std::count(tokens->begin(), tokens->end(), 2), 0);
	EXPECT_EQ(tokenizer.decode(*tokens), "</s>");
}

TEST(TokenizerMetadata, SetsBeginningAndEnd) {
	Metadata metadata = sentencePiece({"a"});
	EXPECT_EQ(open(metadata).encode("", true)->size(), 1u);
	metadata.set("tokenizer.ggml.add_bos_token", false);
	metadata.set("tokenizer.ggml.add_eos_token", true);
	metadata.set("tokenizer.ggml.eos_token_id", uint32_t(1));
	EXPECT_EQ(*open(metadata).encode("", true), (std::vector<Token>{1}));
	EXPECT_TRUE(open(metadata).endsGeneration(1));
	metadata.replace("tokenizer.ggml.eos_token_id", uint32_t(0xFFFFFFFF));
	EXPECT_EQ(*open(metadata).encode("", true), std::vector<Token>());
}

TEST(TokenizerMetadata, RefusesWhatIsMissingOrOfAnotherKind) {
	const std::vector<std::pair<std::function<void(Metadata&)>, std::string>> cases = {
		{[](Metadata& m) { m.remove("tokenizer.ggml.model"); }, "tokenizer.ggml.model is missing"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.model", std::string("bert")); }, "the tokenizer model 'bert' is not supported"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.pre", std::string("nonsense\x1b")); }, "the pre-tokenizer 'nonsense\\x1b' is not known"},
		{[](Metadata& m) { m.remove("tokenizer.ggml.tokens"); }, "tokenizer.ggml.tokens is missing"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.tokens", uint32_t(7)); }, "tokenizer.ggml.tokens is not an array of strings"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.tokens", MetaArray(std::vector<float>{1})); }, "tokenizer.ggml.tokens is not an array of strings"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.tokens", MetaArray(Strings{})); }, "tokenizer.ggml.tokens is empty"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.tokens", MetaArray(Strings{"a", "\xFF"})); }, "the text of token 1 is not UTF-8"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>{1, 1})); }, "tokenizer.ggml.token_type has 2 entries for 96 tokens"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.token_type", MetaArray(std::vector<float>(96))); }, "is not an array of 32-bit integers"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>(96, 99))); }, "token 0 has type 99"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>(96, -1))); }, "token 0 has type -1"},
		{[](Metadata& m) { m.remove("tokenizer.ggml.merges"); }, "tokenizer.ggml.merges is missing"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", std::string("a b")); }, "tokenizer.ggml.merges is not an array of strings"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{"ab"})); }, "merge 0 is not two texts with a space between"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{""})); }, "merge 0 is not two texts with a space between"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{"a "})); }, "merge 0 is not two texts with a space between"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{" "})); }, "merge 0 is not two texts with a space between"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{"a b"})); }, "merge 0, 'a b', names a text that is no token"},
		{[](Metadata& m) { m.replace("tokenizer.ggml.merges", MetaArray(Strings{"a \xFF"})); }, "merge 0 is not UTF-8"},
		{[](Metadata& m) { m.set("tokenizer.ggml.bos_token_id", uint32_t(96)); }, "tokenizer.ggml.bos_token_id is 96, the vocabulary has 96 tokens"},
		{[](Metadata& m) { m.set("tokenizer.ggml.eos_token_id", std::string("1")); }, "tokenizer.ggml.eos_token_id is not a token number"},
		{[](Metadata& m) { m.set("tokenizer.ggml.eot_token_id", int32_t(-2)); }, "tokenizer.ggml.eot_token_id is not a token number"},
		{[](Metadata& m) { m.set("tokenizer.ggml.add_bos_token", std::string("yes")); }, "tokenizer.ggml.add_bos_token is not true or false"},
	};
	for (const auto& [change, message] : cases) {
		Metadata metadata = bytePairs();
		ASSERT_EQ(errorOf(metadata), "(no error)");
		change(metadata);
		const std::string error = errorOf(metadata);
		EXPECT_TRUE(error.starts_with("m.gguf: ")) << error;
		EXPECT_NE(error.find(message), std::string::npos) << error << "\nwanted: " << message;
	}
}

TEST(TokenizerMetadata, RefusesBadScores) {
	for (const auto& [scores, message] : std::vector<std::pair<MetaValue, std::string>>{
			 {MetaArray(std::vector<float>(3)), "tokenizer.ggml.scores has 3 entries for 260 tokens"},
			 {MetaArray(std::vector<double>(260)), "tokenizer.ggml.scores is not an array of f32"},
			 {MetaArray(std::vector<float>(260, std::nanf(""))), "the score of token 0 is not a number"}}) {
		Metadata metadata = sentencePiece({"a"});
		metadata.replace("tokenizer.ggml.scores", scores);
		EXPECT_NE(errorOf(metadata).find(message), std::string::npos) << errorOf(metadata);
	}
	Metadata metadata = sentencePiece({"a"});
	metadata.remove("tokenizer.ggml.scores");
	EXPECT_EQ(errorOf(metadata), "m.gguf: tokenizer.ggml.scores is missing");
}

TEST(TokenizerMetadata, TakesInfiniteScores) {
	Metadata metadata = sentencePiece({"a", "b", "ab"});
	auto scores = std::get<std::vector<float>>(*metadata.array("tokenizer.ggml.scores"));
	scores.back() = -std::numeric_limits<float>::infinity();
	metadata.replace("tokenizer.ggml.scores", MetaArray(scores));
	EXPECT_EQ(pieces(open(metadata), "ab").back(), "ab");
}

TEST(TokenizerMetadata, RefusesAnEndlessSpecialToken) {
	Metadata metadata = bytePairs({std::string(5000, 'x')});
	setKind(metadata, lastToken(metadata), TokenKind::kControl);
	EXPECT_EQ(errorOf(metadata), "m.gguf: special token 96 is 5000 bytes long, more than 1024");
}

TEST(TokenizerMetadata, CompilesEveryPreTokenizer) {
	for (const char* name : {"default", "", "gpt-2", "smollm", "falcon", "llama-bpe", "dbrx", "qwen2", "qwen35", "seed-coder", "bailingmoe", "tekken", "gpt-4o",
	                         "deepseek-llm", "deepseek-coder", "deepseek-v3", "bloom", "viking"}) {
		Metadata metadata = bytePairs({"<unk>"});
		metadata.replace("tokenizer.ggml.pre", std::string(name));
		EXPECT_EQ(errorOf(metadata), "(no error)") << name;
		const Tokenizer tokenizer = open(metadata);
		// Every ASCII text survives, and hostile runs end in time.
		const std::string text = "Hello, World! I'm 12345 years-old;\n\n  \r\n x = f(a[3]) ~~ HTTPServer  ";
		std::string kept = text;
		std::erase(kept, '\r');  // no token for it here
		EXPECT_EQ(tokenizer.decode(*tokenizer.encode(text, false)), kept) << name;
		for (const char* unit : {"a", "A", "1", " ", "\n", "'", "-", "aA", " \n", "\xC3\x89", "\xE4\xB8\x80", "\xCC\x81", "\x01"}) {
			std::string run;
			while (run.size() < 100000) run += unit;
			ASSERT_TRUE(tokenizer.encode(run + "x", false).ok()) << name;
		}
	}
}
