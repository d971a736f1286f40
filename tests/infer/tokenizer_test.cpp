// Real vocabularies: the reference's expected tokens, and properties that hold for any text.
#include "infer/detokenizer.h"
#include "random_text.h"
#include "vocab_files.h"

#include <random>
#include <sstream>

using namespace vkq;
using namespace vkq::test;

namespace {

std::vector<std::string> expectedTexts() {
	const std::string all = readAll(VKQ_SOURCE_DIR "/tests/data/vocab/texts.inp");
	const std::string separator = "\n__ggml_vocab_test__\n";
	std::vector<std::string> texts;
	for (size_t start = 0; start < all.size();) {
		const size_t end = all.find(separator, start);
		texts.push_back(all.substr(start, end - start));
		start = end == std::string::npos ? all.size() : end + separator.size();
	}
	return texts;
}

std::vector<std::vector<Token>> expectedTokens(const std::string& vocabulary) {
	std::istringstream lines(readAll(VKQ_SOURCE_DIR "/tests/data/vocab/" + vocabulary + ".out"));
	std::vector<std::vector<Token>> all;
	for (std::string line; std::getline(lines, line);) {
		std::istringstream words(line);
		all.emplace_back(std::istream_iterator<Token>(words), std::istream_iterator<Token>());
	}
	return all;
}

/// SentencePiece cannot tell U+2581 from a space.
std::string withoutMarks(std::string text) {
	for (size_t at; (at = text.find("\u2581")) != std::string::npos;) text.replace(at, 3, " ");
	return text;
}

class EveryVocabulary : public testing::TestWithParam<std::string> {
protected:
	const Tokenizer& tokenizer() { return tokenizerOf(GetParam()); }
	bool bytePairs() { return tokenizer().vocabulary().model == TokenizerModel::kBytePairs; }
};

INSTANTIATE_TEST_SUITE_P(Real, EveryVocabulary, testing::ValuesIn(kVocabularies), [](const auto& parameter) {
	std::string name = parameter.param;
	std::replace(name.begin(), name.end(), '-', '_');
	return name;
});

}  // namespace

TEST_P(EveryVocabulary, GivesTheReferencesTokens) {
	const auto texts = expectedTexts();
	const auto expected = expectedTokens(GetParam());
	ASSERT_EQ(texts.size(), expected.size());
	ASSERT_GT(texts.size(), 40u);
	for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(encode(tokenizer(), texts[i]), expected[i]) << '"' << texts[i] << '"';
}

TEST_P(EveryVocabulary, DecodesWhatItEncoded) {
	std::mt19937 random(1);
	for (int i = 0; i < 400; ++i) {
		const std::string text = randomText(random, 1 + random() % 60);
		const std::vector<Token> tokens = encode(tokenizer(), text);
		ASSERT_EQ(tokenizer().decode(tokens), bytePairs() ? text : withoutMarks(text));
	}
}

TEST_P(EveryVocabulary, StreamsTheSameTextInWholeCharacters) {
	std::mt19937 random(2);
	for (int i = 0; i < 200; ++i) {
		const std::string text = randomText(random, 1 + random() % 60);
		const std::vector<Token> tokens = encode(tokenizer(), text);
		Detokenizer stream(tokenizer(), {.at_start = true});
		std::string shown;
		for (const Token token : tokens) {
			const std::string part = stream.push(token);
			ASSERT_TRUE(isUtf8(part));
			shown += part;
		}
		ASSERT_EQ(stream.finish(), "");
		ASSERT_EQ(shown, tokenizer().decode(tokens));
	}
}

TEST_P(EveryVocabulary, TakesAnyBytes) {
	std::mt19937 random(3);
	for (int i = 0; i < 400; ++i) {
		const std::string text = randomBytes(random, random() % 40);
		const std::string decoded = tokenizer().decode(encode(tokenizer(), text));
		if (bytePairs()) {
			ASSERT_EQ(repairUtf8(decoded), decoded.find("\xED") == std::string::npos ? repairUtf8(text) : repairUtf8(decoded));
		} else {
			ASSERT_EQ(withoutMarks(decoded), withoutMarks(text));
		}
	}
}

TEST_P(EveryVocabulary, TakesLongTextsWithoutASpace) {
	for (const std::string unit : {"a", "A", " ", "\n", "\u00e9", "7", "'", "\U0001F999", "\xFF", "<", "aA"}) {
		std::string text;
		while (text.size() < 1 << 18) text += unit;
		const std::vector<Token> tokens = encode(tokenizer(), text);
		EXPECT_GT(tokens.size(), 1000u);
		EXPECT_EQ(repairUtf8(tokenizer().decode(tokens)), repairUtf8(text)) << unit;
	}
}

TEST_P(EveryVocabulary, ParsesControlTokensOnlyWhereAsked) {
	for (Token token = 0; token < Token(tokenizer().size()); ++token) {
		if (tokenizer().vocabulary().kinds[token] != TokenKind::kControl) continue;
		const std::string& text = tokenizer().vocabulary().texts[token];
		const std::string around = "x" + text + "y";
		const auto parsed = encode(tokenizer(), around, false, true), plain = encode(tokenizer(), around);
		EXPECT_EQ(std::count(parsed.begin(), parsed.end(), token), 1) << text;
		EXPECT_EQ(std::count(plain.begin(), plain.end(), token), 0) << text;
		EXPECT_EQ(tokenizer().decode(plain), around);
		EXPECT_EQ(tokenizer().decode(parsed, true), bytePairs() ? around : "x" + text + " y");
		EXPECT_EQ(tokenizer().piece(token), "");
	}
}

TEST_P(EveryVocabulary, KnowsNoTokenOutsideOfItself) {
	EXPECT_EQ(tokenizer().piece(-1), "");
	EXPECT_EQ(tokenizer().piece(Token(tokenizer().size())), "");
	EXPECT_FALSE(tokenizer().endsGeneration(-1));
	EXPECT_FALSE(tokenizer().endsGeneration(Token(tokenizer().size())));
	EXPECT_EQ(tokenizer().find("no such token anywhere"), kNoToken);
}

TEST_P(EveryVocabulary, EncodesSegmentsAsOneText) {
	const std::vector<TextSegment> segments = {{"Hello wor", true}, {"", false}, {"ld, how a", false}, {"re you?", true}};
	auto tokens = tokenizer().encode(segments, false);
	ASSERT_TRUE(tokens.ok());
	EXPECT_EQ(*tokens, encode(tokenizer(), "Hello world, how are you?"));
}

TEST(Tokenizer, PutsTheModelsOwnBeginningInFront) {
	EXPECT_EQ(encode(tokenizerOf("llama-bpe"), "Hello", true), (std::vector<Token>{128000, 9906}));
	EXPECT_EQ(encode(tokenizerOf("llama-spm"), "Hello", true), (std::vector<Token>{1, 15043}));
	EXPECT_EQ(encode(tokenizerOf("llama-spm"), "", true), (std::vector<Token>{1}));
	EXPECT_EQ(encode(tokenizerOf("gpt-2"), "Hello", true), (std::vector<Token>{15496}));
	EXPECT_EQ(encode(tokenizerOf("gpt-2"), "", true), std::vector<Token>());
}

TEST(Tokenizer, KnowsTheEndsOfLlama3ByName) {
	const Tokenizer& tokenizer = tokenizerOf("llama-bpe");
	for (const char* text : {"<|end_of_text|>", "<|eot_id|>"}) EXPECT_TRUE(tokenizer.endsGeneration(tokenizer.find(text))) << text;
	EXPECT_FALSE(tokenizer.endsGeneration(tokenizer.find("<|begin_of_text|>")));
}

TEST(Tokenizer, DoesNotParseWhatAUserTyped) {
	const Tokenizer& tokenizer = tokenizerOf("llama-bpe");
	const Token eot = tokenizer.find("<|eot_id|>");
	const std::vector<TextSegment> segments = {{"<|eot_id|>", true}, {"<|eot_id|>", false}, {"<|eot", true}, {"_id|>", false}, {"<|eot", true}, {"_id|>", true}};
	auto tokens = tokenizer.encode(segments, false);
	ASSERT_TRUE(tokens.ok());
	EXPECT_EQ(std::count(tokens->begin(), tokens->end(), eot), 2);
	EXPECT_EQ(tokens->front(), eot);
	EXPECT_EQ(tokens->back(), eot);
}

TEST(Tokenizer, PutsASpaceBehindEachSpecialTokenOfSentencePiece) {
	const Tokenizer& tokenizer = tokenizerOf("llama-spm");
	EXPECT_EQ(encode(tokenizer, "Hello</s>Hello", false, true), (std::vector<Token>{15043, 2, 15043}));
}

TEST(Detokenizer, HoldsBackHalfACharacter) {
	const Tokenizer& tokenizer = tokenizerOf("gpt-2");
	const std::vector<Token> tokens = encode(tokenizer, "\U0001F999");  // a llama, in byte tokens
	ASSERT_GT(tokens.size(), 1u);
	Detokenizer stream(tokenizer);
	for (size_t i = 0; i + 1 < tokens.size(); ++i) EXPECT_EQ(stream.push(tokens[i]), "");
	EXPECT_EQ(stream.push(tokens.back()), "\U0001F999");
	EXPECT_EQ(stream.push(tokens.front()), "");
	EXPECT_EQ(stream.finish(), kReplacementCharacter);
	EXPECT_EQ(stream.finish(), "");
}

TEST(Detokenizer, DropsTheAddedSpaceOnlyAtTheStart) {
	const Tokenizer& tokenizer = tokenizerOf("llama-spm");
	const std::vector<Token> tokens = encode(tokenizer, "Hello Hello", true);
	Detokenizer start(tokenizer, {.at_start = true}), middle(tokenizer);
	std::string from_start, from_middle;
	for (const Token token : tokens) {
		from_start += start.push(token);
		from_middle += middle.push(token);
	}
	EXPECT_EQ(from_start, "Hello Hello");
	EXPECT_EQ(from_middle, " Hello Hello");
}

TEST(Detokenizer, ShowsControlTokensWhenAsked) {
	const Tokenizer& tokenizer = tokenizerOf("llama-bpe");
	Detokenizer quiet(tokenizer), loud(tokenizer, {.show_control = true});
	EXPECT_EQ(quiet.push(tokenizer.find("<|eot_id|>")), "");
	EXPECT_EQ(loud.push(tokenizer.find("<|eot_id|>")), "<|eot_id|>");
}
