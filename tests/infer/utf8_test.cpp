#include "infer/utf8.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(Utf8, ReadsBackEveryScalarValueAndNoSurrogate) {
	for (uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
		std::string text;
		appendUtf8(text, code_point);
		const Utf8Character character = readUtf8(text, 0);
		const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
		ASSERT_EQ(character.valid, !surrogate) << code_point;
		if (surrogate) continue;
		ASSERT_EQ(character.code_point, code_point);
		ASSERT_EQ(character.bytes, text.size());
		for (size_t cut = 1; cut < text.size(); ++cut) {
			ASSERT_EQ(unfinishedUtf8(text.substr(0, cut)), cut);
			ASSERT_FALSE(readUtf8(std::string_view(text).substr(0, cut), 0).valid);
		}
		ASSERT_EQ(unfinishedUtf8(text), 0u);
	}
}

TEST(Utf8, RefusesOverlongFormsAndNumbersBeyondUnicode) {
	for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
	                         "\xF5\x80\x80\x80", "\xF8\x88\x80\x80\x80", "\x80", "\xFF"}) {
		EXPECT_FALSE(isUtf8(text)) << text;
		EXPECT_EQ(unfinishedUtf8(text), 0u) << text;
	}
}

TEST(Utf8, RepairsEachBadByteOnItsOwn) {
	EXPECT_EQ(repairUtf8("a\xFF\xC3(b"), "a\xEF\xBF\xBD\xEF\xBF\xBD(b");
	EXPECT_EQ(repairUtf8("\xF0\x9F\xA6 x"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD x");
	EXPECT_EQ(repairUtf8("sch\xC3\xB6n"), "sch\xC3\xB6n");
}
