#include "quantize/recipe.h"

#include "quant/name_pattern.h"
#include "quantize/settings_text.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace vkq;
using vkq::test::TempFolder;

namespace {

/// The type that the first matching line gives, as the mixture does; F64, which no recipe has, where none matches.
TensorType typeBy(std::span<const MixtureOptions::Override> lines, const std::string& name) {
	for (const auto& line : lines) {
		const auto pattern = NamePattern::compile(line.pattern);
		EXPECT_TRUE(pattern) << line.pattern;
		if (pattern && pattern->foundIn(name)) return line.type;
	}
	return TensorType::F64;
}

}  // namespace

TEST(Recipe, GivesEveryTensorItsTypeBack) {
	std::vector<RecipeEntry> entries{{"output.weight", TensorType::Q6_K}, {"token_embd.weight", TensorType::Q4_K}};
	for (int layer = 0; layer < 200; ++layer) {
		entries.push_back({"blk." + std::to_string(layer) + ".attn_v.weight", layer % 3 ? TensorType::Q4_K : TensorType::Q6_K});
		entries.push_back({"blk." + std::to_string(layer) + ".attn_output.weight", TensorType::Q5_K});
		entries.push_back({"blk." + std::to_string(layer) + ".ffn_down.weight", layer == 11 ? TensorType::Q8_0 : TensorType::IQ4_XS});
	}
	const auto lines = recipeLines(entries);
	for (const RecipeEntry& entry : entries) EXPECT_EQ(typeBy(lines, entry.name), entry.type) << entry.name;
	EXPECT_EQ(typeBy(lines, "blk.3.attn_k.weight"), TensorType::F64);
	EXPECT_EQ(typeBy(lines, "v.blk.3.attn_v.weight"), TensorType::F64);
}

TEST(Recipe, SharesALineBetweenLayersThatAgree) {
	const auto lines = recipeLines(std::vector<RecipeEntry>{{"output.weight", TensorType::Q6_K}, {"blk.0.attn_v.weight", TensorType::Q5_K}, {"blk.0.ffn_up.weight", TensorType::Q4_K},
	                                                        {"blk.1.attn_v.weight", TensorType::Q4_K}, {"blk.1.ffn_up.weight", TensorType::Q4_K}, {"blk.2.attn_v.weight", TensorType::Q5_K}});
	EXPECT_EQ(recipeText(lines), "^output\\.weight$=q6_k\n^blk\\.(0|2)\\.attn_v\\.weight$=q5_k\n^blk\\.(1)\\.attn_v\\.weight$=q4_k\n^blk\\.[0-9]+\\.ffn_up\\.weight$=q4_k\n");
}

TEST(Recipe, HoldsNamesThatAPatternCannot) {
	const std::string odd = "blk.1.Odd #name=(x)[y]{z}+*?^$|\\.weight";
	const auto lines = recipeLines(std::vector<RecipeEntry>{{odd, TensorType::Q8_0}, {"blk.1.even.weight", TensorType::Q4_0}});
	EXPECT_EQ(typeBy(lines, odd), TensorType::Q8_0);
	EXPECT_EQ(typeBy(lines, "blk.1.even.weight"), TensorType::Q4_0);
}

TEST(Recipe, IsReadAsItWasWritten) {
	TempFolder folder;
	const auto lines = recipeLines(std::vector<RecipeEntry>{{"blk.1.Odd #name=x.weight", TensorType::Q8_0}, {"blk.0.attn_v.weight", TensorType::IQ4_XS}, {"blk.1.attn_v.weight", TensorType::F16}});
	const std::string text = recipeText(lines);
	test::writeFile(folder / "recipe.txt", std::as_bytes(std::span(text)));
	const auto read = readTensorTypeFile(folder / "recipe.txt");
	ASSERT_TRUE(read) << read.error().message;
	EXPECT_EQ(recipeText(*read), text);
}
