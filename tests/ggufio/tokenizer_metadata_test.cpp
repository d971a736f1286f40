#include "ggufio/tokenizer_metadata.h"

#include "ggufio/pre_tokenizer.h"
#include "ggufio/sentencepiece_model.h"
#include "ggufio/tokenizer_json.h"
#include "huggingface_model.h"
#include "sentencepiece_image.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

using namespace vkq;
using namespace vkq::test;

namespace {

/// The metadata that files of these names and contents give.
struct Tokenized {
	Metadata metadata;
	std::vector<std::string> warnings;
	std::string error = "(no error)";

	Tokenized(const std::map<std::string, std::string>& files, uint64_t n_vocab, std::string arch = "llama", json config_json = json::object()) {
		const TempFolder folder;
		for (const auto& [name, text] : files) writeFile(folder / name, bytesOf(text));
		HuggingFaceConfig config;
		config.arch = std::move(arch);
		config.family = config.arch == "gemma3" ? HuggingFaceFamily::Gemma3 : HuggingFaceFamily::Llama;
		config.n_vocab = n_vocab;
		config.json = std::move(config_json);
		const auto done = appendTokenizerMetadata(folder.path(), config, metadata, warnings);
		if (!done.ok()) error = done.error().message.substr(folder.path().string().size());
	}

	const std::vector<std::string>& tokens() const { return *metadata.strings("tokenizer.ggml.tokens"); }
	const std::vector<int32_t>& types() const { return std::get<std::vector<int32_t>>(*metadata.array("tokenizer.ggml.token_type")); }
	const std::vector<float>& scores() const { return std::get<std::vector<float>>(*metadata.array("tokenizer.ggml.scores")); }
	std::optional<uint64_t> id(std::string_view role) const { return metadata.unsignedInt("tokenizer.ggml." + std::string(role) + "_token_id"); }
};

json byteLevel(std::initializer_list<json> splits, bool digits = false, bool own_pattern = false) {
	json steps = json::array();
	for (const json& split : splits) steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}});
	if (digits) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
	steps.push_back({{"type", "ByteLevel"}, {"use_regex", own_pattern}});
	return {{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", steps}}}, {"model", {{"ignore_merges", false}}}};
}

std::string preOf(const json& tokenizer) { return std::string(preTokenizerName(tokenizer).value_or("(unknown)")); }

/// BPE over characters with byte fallback: llama 2's form of tokenizer.json.
json characterBpe() {
	return {{"added_tokens", {{{"id", 0}, {"content", "<unk>"}, {"special", true}}, {{"id", 1}, {"content", "<s>"}, {"special", true}}}},
	        {"normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "\xe2\x96\x81"}}, {{"type", "Replace"}}}}}},
	        {"pre_tokenizer", nullptr},
	        {"post_processor",
	         {{"type", "TemplateProcessing"}, {"single", {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
	    {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}}}},
	        {"decoder", {{"type", "Sequence"}, {"decoders", {{{"type", "ByteFallback"}}}}}},
	        {"model",
	         {{"type", "BPE"}, {"unk_token", "<unk>"}, {"byte_fallback", true},
	          {"vocab", {{"<unk>", 0}, {"<s>", 1}, {"<0x0A>", 2}, {"a", 3}, {"b", 4}, {"ab", 5}, {"abb", 6}, {"ba", 7}}},
	          {"merges", {"b a", "a b", "ab b", "a bb"}}}}};
}

}  // namespace

TEST(TokenizerMetadata, TakesByteLevelBpeAsItIs) {
	json tokenizer = tinyTokenizer(6);
	tokenizer["added_tokens"].push_back({{"id", 5}, {"content", "x\xe2\x96\x81y"}, {"special", false}});
	tokenizer["added_tokens"].push_back({{"id", 4}, {"content", "<|looks special|>"}, {"special", false}});
	const Tokenized result({{"tokenizer.json", tokenizer.dump()}}, 8);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.model"), "gpt2");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.pre"), "llama-bpe");
	EXPECT_EQ(result.tokens(), (std::vector<std::string>{"<|begin|>", "a", "b", "ab", "<|looks special|>", "x y", "[PAD6]", "[PAD7]"}));
	EXPECT_EQ(result.types(), (std::vector<int32_t>{3, 1, 1, 1, 3, 4, 5, 5}));
	EXPECT_EQ(*result.metadata.strings("tokenizer.ggml.merges"), (std::vector<std::string>{"a b"}));
	EXPECT_FALSE(result.metadata.contains("tokenizer.ggml.scores"));
	EXPECT_TRUE(result.warnings.empty());
}

TEST(TokenizerMetadata, ReadsMergesInBothForms) {
	json tokenizer = tinyTokenizer(6);
	tokenizer["model"]["merges"] = json::parse(R"([["a", "b"], ["a b", "c"]])");
	const Tokenized result({{"tokenizer.json", tokenizer.dump()}}, 6);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(*result.metadata.strings("tokenizer.ggml.merges"),
	    (std::vector<std::string>{"a b", "a\xc4\xa0" "b c"}));   // a space inside is byte-level's
}

TEST(TokenizerMetadata, KnowsPreTokenizersByTheirRules) {
	const std::string spaces = R"(\s*[\r\n]+|\s+(?!\S)|\s+)", words = R"([^\r\n\p{L}\p{N}]?\p{L}+|)", signs = R"( ?[^\s\p{L}\p{N}]+[\r\n]*|)";
	for (const std::string contractions : {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|)", R"('(?i:[sdmt]|ll|ve|re)|)"}) {
		json llama3 = byteLevel({contractions + words + R"(\p{N}{1,3}|)" + signs + spaces});
		EXPECT_EQ(preOf(llama3), "dbrx");
		llama3["model"]["ignore_merges"] = true;
		EXPECT_EQ(preOf(llama3), "llama-bpe");
		EXPECT_EQ(preOf(byteLevel({contractions + words + R"(\p{N}|)" + signs + spaces})), "qwen2");
	}
	const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])", front = R"([^\r\n\p{L}\p{N}]?)";
	const std::string slashed = R"( ?[^\s\p{L}\p{N}]+[\r\n/]*|)", ends = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)";
	EXPECT_EQ(preOf(byteLevel({front + upper + "*" + lower + "+|" + front + upper + "+" + lower + "*|" + R"(\p{N}|)" + slashed + spaces})), "tekken");
	EXPECT_EQ(preOf(byteLevel({front + upper + "*" + lower + "+" + ends + "|" + front + upper + "+" + lower + "*" + ends + "|" + R"(\p{N}{1,3}|)" + slashed + spaces})),
	          "gpt-4o");
	EXPECT_EQ(preOf(byteLevel({}, false, true)), "gpt-2");
	EXPECT_EQ(preOf({{"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}), "gpt-2");
	EXPECT_EQ(preOf(byteLevel({}, true, true)), "smollm");
	EXPECT_EQ(preOf(byteLevel({R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+"}, true)), "deepseek-coder");
	EXPECT_EQ(preOf(byteLevel({R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+", R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|...)"})), "deepseek-v3");
	EXPECT_EQ(preOf(byteLevel({"\\w+"})), "(unknown)");
	EXPECT_EQ(preOf(json::object()), "(unknown)");
	EXPECT_EQ(preOf({{"pre_tokenizer", 7}}), "(unknown)");
}

TEST(TokenizerMetadata, WarnsOfRulesThatHaveNoName) {
	json tokenizer = tinyTokenizer(6);
	tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+";
	const Tokenized result({{"tokenizer.json", tokenizer.dump()}}, 6);
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.pre"), "default");
	ASSERT_EQ(result.warnings.size(), 1u);
	EXPECT_NE(result.warnings[0].find("'default' is written"), std::string::npos);
}

TEST(TokenizerMetadata, ReadsSentencePieceModels) {
	const Tokenized result({{"tokenizer.model", smallSentencePieceImage()}, {"added_tokens.json", R"({"<extra>": 10})"},
	                        {"tokenizer_config.json", R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "add_bos_token": true, "add_eos_token": false})"}},
	                       12);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.model"), "llama");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.pre"), "default");
	EXPECT_EQ(result.types(), (std::vector<int32_t>{2, 3, 3, 6, 6, 1, 1, 1, 1, 4, 4, 5}));
	EXPECT_EQ(result.tokens()[9], "<mark>");
	EXPECT_EQ(result.tokens()[10], "<extra>");
	EXPECT_EQ(result.scores()[6], -1.0f);
	EXPECT_EQ(result.scores()[10], -1000.0f);
	EXPECT_EQ(result.scores()[11], -10000.0f);
	EXPECT_EQ(result.id("bos"), 1u);
	EXPECT_EQ(result.id("eos"), 2u);
	EXPECT_EQ(result.id("unknown"), 0u);
	EXPECT_EQ(result.metadata.boolean("tokenizer.ggml.add_bos_token"), true);
	EXPECT_EQ(result.metadata.boolean("tokenizer.ggml.add_eos_token"), false);
	EXPECT_FALSE(result.metadata.contains("tokenizer.ggml.add_space_prefix"));
}

TEST(TokenizerMetadata, SaysWhenNoSpaceGoesInFront) {
	const std::string without = sentencePieceImage({{"<unk>", 0.0f, 2}, {"a"}}, 2, false);
	EXPECT_EQ(Tokenized({{"tokenizer.model", without}}, 2).metadata.boolean("tokenizer.ggml.add_space_prefix"), false);
	EXPECT_EQ(Tokenized({{"tokenizer.model", smallSentencePieceImage()}}, 10, "gemma3").metadata.boolean("tokenizer.ggml.add_space_prefix"), false);
	EXPECT_EQ(Tokenized({{"tokenizer.model", without}, {"tokenizer_config.json", R"({"add_prefix_space": true})"}},
	    2).metadata.boolean("tokenizer.ggml.add_space_prefix"),
	          true);
}

TEST(TokenizerMetadata, MakesSentencePieceOfBpeWithByteFallback) {
	const Tokenized result({{"tokenizer.json", characterBpe().dump()}}, 8);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.model"), "llama");
	EXPECT_EQ(result.types(), (std::vector<int32_t>{3, 3, 6, 1, 1, 1, 1, 1}));
	// The first merge that makes a token is its score: ba before ab before abb; characters are never made.
	EXPECT_EQ(result.scores(), (std::vector<float>{-1000.0f, -1000.0f, -4.0f, -4.0f, -4.0f, -1.0f, -2.0f, -0.0f}));
	EXPECT_EQ(result.id("bos"), 1u);
	EXPECT_EQ(result.id("unknown"), 0u);
	EXPECT_EQ(result.metadata.boolean("tokenizer.ggml.add_bos_token"), true);
	EXPECT_FALSE(result.metadata.contains("tokenizer.ggml.merges"));
	EXPECT_FALSE(result.metadata.contains("tokenizer.ggml.add_space_prefix"));

	json gemma = characterBpe();
	gemma["normalizer"] = {{"type", "Replace"}};
	EXPECT_EQ(Tokenized({{"tokenizer.json", gemma.dump()}}, 8).metadata.boolean("tokenizer.ggml.add_space_prefix"), false);
	gemma["pre_tokenizer"] = {{"type", "Metaspace"}, {"prepend_scheme", "first"}};
	EXPECT_FALSE(Tokenized({{"tokenizer.json", gemma.dump()}}, 8).metadata.contains("tokenizer.ggml.add_space_prefix"));
}

TEST(TokenizerMetadata, TakesTokenizerJsonWhereTokenizerModelIsSomethingElse) {
	const Tokenized result({{"tokenizer.model", "IQ== 0\nIg== 1\n"}, {"tokenizer.json", tinyTokenizer(6).dump()}}, 6);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(result.metadata.string("tokenizer.ggml.model"), "gpt2");
	ASSERT_EQ(result.warnings.size(), 1u);
	EXPECT_NE(result.warnings[0].find("tokenizer.json is used instead"), std::string::npos);
	EXPECT_NE(Tokenized({{"tokenizer.model", "IQ== 0\nIg== 1\n"}}, 6).error.find("not a SentencePiece model"), std::string::npos);
}

TEST(TokenizerMetadata, FindsSpecialTokensInTheOrderOfTheFiles) {
	json tokenizer = tinyTokenizer(16);
	for (const auto& [id, text] : {std::pair(4, "<|end_of_text|>"), {5, "<|eot_id|>"}, {6, "<|eom_id|>"}})
		tokenizer["added_tokens"].push_back({{"id", id}, {"content", text}, {"special", true}});
	const json config = {{"bos_token_id", 0}, {"eos_token_id", {4, 6, 5}}, {"pad_token_id", 7}};
	const Tokenized lists({{"tokenizer.json", tokenizer.dump()}}, 16, "llama", config);
	EXPECT_EQ(lists.id("bos"), 0u);
	EXPECT_EQ(lists.id("eos"), 4u);
	EXPECT_EQ(lists.id("eot"), 5u);
	EXPECT_EQ(lists.id("eom"), 6u);
	EXPECT_EQ(lists.id("padding"), 7u);

	// The tokenizer's configuration comes before the model's.
	const Tokenized named({{"tokenizer.json", tokenizer.dump()}, {"tokenizer_config.json", R"({"eos_token": "<|eot_id|>", "pad_token": "a"})"}}, 16,
	    "llama", config);
	EXPECT_EQ(named.id("eos"), 5u);
	EXPECT_EQ(named.id("padding"), 1u);

	const Tokenized generation({{"tokenizer.json", tokenizer.dump()},
	    {"generation_config.json", R"({"eos_token_id": [4, 5], "top_k": 20, "temperature": 0.5})"}}, 16);
	EXPECT_EQ(generation.id("eos"), 4u);
	EXPECT_EQ(generation.id("eot"), 5u);
	EXPECT_EQ(generation.metadata.signedInt("general.sampling.top_k"), 20);
	EXPECT_EQ(generation.metadata.number("general.sampling.temp"), 0.5);

	EXPECT_FALSE(Tokenized({{"tokenizer.json", tokenizer.dump()}, {"generation_config.json", R"({"temperature": 1e300})"}}, 16)
	                 .metadata.contains("general.sampling.temp"));

	EXPECT_FALSE(Tokenized({{"tokenizer.json", tokenizer.dump()}}, 16, "llama", {{"bos_token_id", 99}}).id("bos"));
	EXPECT_FALSE(Tokenized({{"tokenizer.json", tokenizer.dump()}}, 16, "llama", {{"bos_token_id", "x"}}).id("bos"));
}

TEST(TokenizerMetadata, ReadsChatTemplatesWhereverTheyAre) {
	const std::string tokenizer = tinyTokenizer(6).dump();
	const auto with = [&](const std::string& name, const std::string& text) { return Tokenized({{"tokenizer.json", tokenizer}, {name, text}}, 6); };
	EXPECT_EQ(with("chat_template.jinja", "{{ one }}").metadata.string("tokenizer.chat_template"), "{{ one }}");
	EXPECT_EQ(with("chat_template.json", R"({"chat_template": "{{ two }}"})").metadata.string("tokenizer.chat_template"), "{{ two }}");
	EXPECT_EQ(with("tokenizer_config.json", R"({"chat_template": "{{ three }}"})").metadata.string("tokenizer.chat_template"), "{{ three }}");
	const Tokenized named = with("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}, 7]})");
	EXPECT_EQ(named.metadata.string("tokenizer.chat_template"), "d");
	EXPECT_EQ(named.metadata.string("tokenizer.chat_template.tool_use"), "t");
	EXPECT_EQ(*named.metadata.strings("tokenizer.chat_templates"), (std::vector<std::string>{"tool_use"}));
}

TEST(TokenizerMetadata, LeavesOutTokensBeyondTheModelAndSaysSo) {
	const Tokenized result({{"tokenizer.json", tinyTokenizer(9).dump()}}, 6);
	ASSERT_EQ(result.error, "(no error)");
	EXPECT_EQ(result.tokens().size(), 6u);
	ASSERT_EQ(result.warnings.size(), 1u);
	EXPECT_NE(result.warnings[0].find("3 tokens have ids beyond the model's 6"), std::string::npos);
}

TEST(TokenizerMetadata, RefusesWrongTypesByName) {
	const auto error_with = [](const char* pointer, const json& value) {
		json tokenizer = tinyTokenizer(6);
		tokenizer[json::json_pointer(pointer)] = value;
		return Tokenized({{"tokenizer.json", tokenizer.dump()}}, 6).error;
	};
	EXPECT_EQ(error_with("/model", 5), "/tokenizer.json: has no model");
	EXPECT_EQ(error_with("/model/type", "WordPiece"), "/tokenizer.json: a tokenizer of type 'WordPiece' is not supported");
	EXPECT_EQ(error_with("/model/vocab", json::array()), "/tokenizer.json: model.vocab is no object of tokens");
	EXPECT_EQ(error_with("/model/vocab/a", -1), "/tokenizer.json: token 'a' has a number for an id");
	EXPECT_EQ(error_with("/model/vocab/a", "1"), "/tokenizer.json: token 'a' has a string for an id");
	EXPECT_EQ(error_with("/model/vocab/a", 2), "/tokenizer.json: tokens 'a' and 'b' have the same id, 2");
	EXPECT_EQ(error_with("/model/merges", 5), "/tokenizer.json: merges are a number where a list belongs");
	EXPECT_EQ(error_with("/model/merges/0", "ab"), "/tokenizer.json: merge 0 is 'ab', not two tokens");
	EXPECT_EQ(error_with("/model/merges/0", {"a"}), "/tokenizer.json: merge 0 is a list, not two tokens");
	EXPECT_EQ(error_with("/added_tokens", 5), "/tokenizer.json: added_tokens are a number where a list belongs");
	EXPECT_EQ(error_with("/added_tokens/0", 5), "/tokenizer.json: added token 0 has no usable id and content");
	EXPECT_EQ(error_with("/added_tokens/0/id", 1e30), "/tokenizer.json: added token 0 has no usable id and content");
	EXPECT_EQ(Tokenized({{"tokenizer.json", "[1, 2"}}, 6).error.substr(0, 34), "/tokenizer.json: not valid JSON: p");
	EXPECT_EQ(Tokenized({{"tokenizer.json", std::string(1000, '[')}}, 6).error, "/tokenizer.json: JSON is nested deeper than 64 levels");
	EXPECT_EQ(Tokenized({{"tokenizer.json", "[" + std::string(17'000'000, ',')}}, 6).error, "/tokenizer.json: JSON has more than 16777216 values");
	EXPECT_EQ(Tokenized({{"tokenizer.json", tinyTokenizer(6).dump()},
	    {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})"}}, 6).error,
	          "/tokenizer_config.json: added_tokens_decoder: entry 'x' is not an id with a content");
}

TEST(SentencePieceModel, SurvivesTruncationAndFlippedBits) {
	std::string image = smallSentencePieceImage();
	std::vector<std::string> warnings;
	for (size_t length = 0; length < image.size(); ++length) (void)readSentencePieceModel(std::string_view(image).substr(0, length), "x", 12, warnings);
	for (size_t at = 0; at < image.size(); ++at) {
		for (int bit = 0; bit < 8; ++bit) {
			image[at] = char(image[at] ^ (1 << bit));
			const auto vocabulary = readSentencePieceModel(image, "x", 12, warnings);
			if (vocabulary.ok()) EXPECT_EQ(vocabulary->tokens.size(), 12u);
			else EXPECT_EQ(vocabulary.error().message[0], 'x');
			image[at] = char(image[at] ^ (1 << bit));
		}
	}
	EXPECT_EQ(readSentencePieceModel("", "x", 12, warnings).error().message, "x: not a SentencePiece model: it has no pieces");
	EXPECT_EQ(readSentencePieceModel(sentencePieceImage({{"a", std::nanf("")}}), "x", 12, warnings).error().message,
	          "x: piece 0 ('a') has a score that is no number");
}
