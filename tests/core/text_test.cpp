#include "core/text.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(Printable, KeepsTextInAnyScript) {
	EXPECT_EQ(printable("blk.0.attn_q.weight"), "blk.0.attn_q.weight");
	EXPECT_EQ(printable("Grüße, 世界 😀"), "Grüße, 世界 😀");
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
	EXPECT_EQ(printable("a\x1b[31mb"), "a\\x1b[31mb");
	EXPECT_EQ(printable("line\nnext\tcell"), "line\\nnext\\tcell");
	EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");
	EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
	EXPECT_EQ(printable("\xff"), "\\xff");
	EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");          // overlong
	EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
	EXPECT_EQ(printable("\xe4\xb8"), "\\xe4\\xb8");          // cut
}

TEST(Printable, CutsBetweenCharacters) {
	EXPECT_EQ(printable("世界世界", 4), "世界...");
	EXPECT_EQ(printable("abcdef", 3), "abc...");
	EXPECT_EQ(printable("abc", 3), "abc");
}

TEST(FirstRepeated, FindsTheFirstInByteOrder) {
	EXPECT_EQ(firstRepeated({}), std::nullopt);
	EXPECT_EQ(firstRepeated({"b", "a", "c"}), std::nullopt);
	EXPECT_EQ(firstRepeated({"b", "a", "c", "b", "a"}), "a");
	EXPECT_EQ(firstRepeated({"", "x", ""}), "");
}
