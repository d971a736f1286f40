#include "infer/stop_texts.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(StopTexts, PassesEverythingWithoutStops) {
	StopTexts stops({""});
	EXPECT_EQ(stops.push("abc"), "abc");
	EXPECT_EQ(stops.finish(), "");
	EXPECT_FALSE(stops.stopped());
}

TEST(StopTexts, EndsBeforeAStopThatComesInPieces) {
	const std::string text = "one two\nUser: three";
	for (size_t piece = 1; piece <= text.size(); ++piece) {
		StopTexts stops({"\nUser:", "###"});
		std::string shown;
		for (size_t at = 0; at < text.size(); at += piece) shown += stops.push(text.substr(at, piece));
		EXPECT_TRUE(stops.stopped());
		EXPECT_EQ(shown + stops.finish(), "one two");
		EXPECT_EQ(stops.push("more"), "");
	}
}

TEST(StopTexts, GivesBackWhatOnlyLookedLikeAStop) {
	StopTexts stops({"aab"});
	EXPECT_EQ(stops.push("xa"), "x");
	EXPECT_EQ(stops.push("a"), "");
	EXPECT_EQ(stops.push("a"), "a");
	EXPECT_EQ(stops.push("c"), "aac");
	EXPECT_EQ(stops.push("aa"), "");
	EXPECT_EQ(stops.finish(), "aa");
	EXPECT_FALSE(stops.stopped());
}

TEST(StopTexts, TakesTheEarliestOfSeveral) {
	StopTexts stops({"late", "ear"});
	EXPECT_EQ(stops.push("x early late"), "x ");
	EXPECT_TRUE(stops.stopped());
}
