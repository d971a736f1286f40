#include "quantize/settings_text.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(TensorTypeText, IsAPatternAndAType) {
	const auto entry = parseTensorType("ATTN_(q|k)=q8_0");
	ASSERT_TRUE(entry.ok());
	EXPECT_EQ(entry->pattern, "attn_(q|k)");
	EXPECT_EQ(entry->type, TensorType::Q8_0);
}

TEST(TensorTypeText, IsRefusedWithTheReason) {
	for (const char* text : {"", "attn_q", "=q8_0", "attn_q=", "attn_q=q9_9", "attn_q=iq2_xs"}) {
		const auto entry = parseTensorType(text);
		ASSERT_FALSE(entry.ok()) << text;
		EXPECT_EQ(entry.error().code, ErrorCode::kUsage);
		EXPECT_FALSE(entry.error().hint.empty());
	}
}

TEST(TensorTypeFile, HoldsEntriesBetweenSpacesAndComments) {
	test::TempFolder folder;
	const std::string text = "# mine\nattn_v=q6_k ffn_down=q5_k\n\n  output=q8_0 # the head\n";
	test::writeFile(folder / "types.txt", std::as_bytes(std::span(text)));
	const auto entries = readTensorTypeFile(folder / "types.txt");
	ASSERT_TRUE(entries.ok());
	ASSERT_EQ(entries->size(), 3u);
	EXPECT_EQ((*entries)[2].pattern, "output");
}

TEST(TensorTypeFile, NamesTheLineThatIsWrong) {
	test::TempFolder folder;
	const std::string text = "attn_v=q6_k\nffn_down\n";
	test::writeFile(folder / "types.txt", std::as_bytes(std::span(text)));
	const auto entries = readTensorTypeFile(folder / "types.txt");
	ASSERT_FALSE(entries.ok());
	EXPECT_NE(entries.error().message.find("line 2"), std::string::npos);
	EXPECT_EQ(readTensorTypeFile(folder / "none.txt").error().code, ErrorCode::kNotFound);
}

TEST(OverrideText, HasTheReferencesMeaning) {
	EXPECT_EQ(parseOverrideKv("a.b=int:-3")->value, MetaValue(uint32_t(3)));
	EXPECT_EQ(parseOverrideKv("a.b=float:0.5")->value, MetaValue(0.5f));
	EXPECT_EQ(parseOverrideKv("a.b=bool:true")->value, MetaValue(true));
	EXPECT_EQ(parseOverrideKv("a.b=str:x=y:z")->value, MetaValue(std::string("x=y:z")));
	EXPECT_EQ(parseOverrideKv("a.b=str:x=y:z")->key, "a.b");
}

TEST(OverrideText, IsRefusedWhenItIsNoKeyTypeAndValue) {
	for (const char* text : {"", "a.b", "a.b=3", "a.b=int:x", "a.b=int:99999999999", "a.b=float:nan", "a.b=bool:1", "a.b=u8:1", "=int:1"})
		EXPECT_EQ(parseOverrideKv(text).error().code, ErrorCode::kUsage) << text;
	EXPECT_FALSE(parseOverrideKv("a=str:" + std::string(128, 'x')).ok());
}

TEST(LayersText, IsAListOfNumbers) {
	EXPECT_EQ(*parseLayers("5,3,5"), (std::vector<uint32_t>{3, 5}));
	for (const char* text : {"", ",", "1,", "a", "1-3", "-1"}) EXPECT_FALSE(parseLayers(text).ok()) << text;
}
