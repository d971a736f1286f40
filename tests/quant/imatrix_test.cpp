// Legacy importance matrices, and whether one suits a model.
#include "quant/imatrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace vkq;

namespace {

struct Image {
	std::vector<std::byte> bytes;

	template <class T>
	Image& put(T value) {
		const auto* first = reinterpret_cast<const std::byte*>(&value);
		bytes.insert(bytes.end(), first, first + sizeof(T));
		return *this;
	}
	Image& text(std::string_view text) {
		put(int32_t(text.size()));
		for (char c : text) bytes.push_back(std::byte(c));
		return *this;
	}
	Image& entry(std::string_view name, int32_t calls, const std::vector<float>& values) {
		text(name).put(calls).put(int32_t(values.size()));
		for (float value : values) put(value);
		return *this;
	}
};

Image twoEntries() { return Image().put(int32_t(2)).entry("blk.0.attn_q.weight", 4, {4, 8, 12, 16}).entry("blk.0.ffn_up.weight", 0, {1, 2}); }

std::string errorOf(const Image& image) {
	const auto imatrix = parseLegacyImatrix(image.bytes, "i.dat");
	return imatrix.ok() ? "accepted" : imatrix.error().message;
}

Imatrix suiting() {
	Imatrix imatrix;
	imatrix.file = "i.gguf";
	imatrix.importance = {{"a.weight", std::vector<float>(8, 1.0f)}, {"experts.weight", std::vector<float>(24, 2.0f)}};
	return imatrix;
}

}  // namespace

TEST(LegacyImatrix, ReadsEntriesAsMeansOverCalls) {
	const auto imatrix = parseLegacyImatrix(twoEntries().put(int32_t(17)).text("wiki.txt").bytes, "i.dat");
	ASSERT_TRUE(imatrix.ok()) << imatrix.error().message;
	EXPECT_EQ(imatrix->file, "i.dat");
	EXPECT_EQ(imatrix->chunks, 17u);
	EXPECT_EQ(imatrix->datasets, std::vector<std::string>{"wiki.txt"});
	EXPECT_EQ(imatrix->importance.at("blk.0.attn_q.weight"), (std::vector<float>{1, 2, 3, 4}));
	EXPECT_EQ(imatrix->importance.at("blk.0.ffn_up.weight"), (std::vector<float>{1, 2}));
}

TEST(LegacyImatrix, NeedsNoDataSet) {
	const auto imatrix = parseLegacyImatrix(twoEntries().bytes, "i.dat");
	ASSERT_TRUE(imatrix.ok());
	EXPECT_EQ(imatrix->chunks, 0u);
	EXPECT_TRUE(imatrix->datasets.empty());
}

TEST(LegacyImatrix, RefusesEveryTruncation) {
	const Image whole = twoEntries().put(int32_t(17)).text("wiki.txt");
	const size_t without_dataset = twoEntries().bytes.size();
	for (size_t length = 0; length < whole.bytes.size(); ++length) {
		Image cut = whole;
		cut.bytes.resize(length);
		EXPECT_EQ(errorOf(cut) == "accepted", length == without_dataset) << length << " bytes";
	}
}

TEST(LegacyImatrix, NamesWhatIsWrong) {
	EXPECT_NE(errorOf(Image().put(int32_t(0))).find("names no entries"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(-5))).find("names no entries"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(1)).put(int32_t(-1))).find("entry 1 of 1 ends in its name"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(1)).entry("", 1, {1})).find("has no name"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(1)).entry("w", -1, {1})).find("'w' has -1 calls"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(1)).entry("w", 1, {})).find("'w' has 0 values"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(1)).text("w").put(int32_t(1)).put(int32_t(0x7fffffff))).find("2147483647 values, more than the file holds"), std::string::npos);
	EXPECT_NE(errorOf(Image().put(int32_t(2)).entry("w", 1, {1}).entry("w", 1, {1})).find("two entries of 'w'"), std::string::npos);
	EXPECT_NE(errorOf(twoEntries().put(int32_t(-1)).text("d")).find("number of chunks"), std::string::npos);
	EXPECT_TRUE(errorOf(Image()).starts_with("i.dat: "));
}

TEST(CheckImatrix, AcceptsOneThatSuitsAndTellsWhatItLacks) {
	const ImatrixUse uses[] = {{"a.weight", 8, 1}, {"experts.weight", 8, 3}, {"b.weight", 8, 1}};
	const auto findings = checkImatrix(suiting(), uses);
	ASSERT_TRUE(findings.ok()) << findings.error().message;
	EXPECT_EQ(findings->used, 2u);
	EXPECT_EQ(findings->missing, std::vector<std::string>{"b.weight"});
	EXPECT_TRUE(findings->ignored.empty());
}

TEST(CheckImatrix, NamesAllProblemsTogether) {
	Imatrix imatrix = suiting();
	imatrix.importance["nan.weight"] = {1, std::nanf("")};
	imatrix.importance["infinite.weight"] = {std::numeric_limits<float>::infinity()};
	imatrix.importance["negative.weight"] = {0, 0, -1};
	const ImatrixUse uses[] = {{"a.weight", 16, 1}, {"experts.weight", 8, 4}, {"needed.weight", 8, 1, true}};
	const auto findings = checkImatrix(imatrix, uses);
	ASSERT_FALSE(findings.ok());
	EXPECT_EQ(findings.error().code, ErrorCode::kInvalidData);
	const std::string& message = findings.error().message;
	for (const char* part : {"i.gguf", "'nan.weight' holds nan in column 1", "'infinite.weight' holds inf", "'negative.weight' holds -1 in column 2",
	                         "'a.weight' has 8 values, not 16", "'experts.weight' has 24 values, not 32", "'needed.weight' has no entry"})
		EXPECT_NE(message.find(part), std::string::npos) << part << " in " << message;
}

TEST(CheckImatrix, CountsProblemsBeyondTheFirst) {
	Imatrix imatrix;
	for (int i = 0; i < 100; ++i) imatrix.importance["w" + std::to_string(i)] = {-1};
	const auto findings = checkImatrix(imatrix, {});
	ASSERT_FALSE(findings.ok());
	EXPECT_NE(findings.error().message.find("and 92 more"), std::string::npos);
}

TEST(CheckImatrix, ToleratesTokenEmbeddingsOfAnotherSize) {
	Imatrix imatrix = suiting();
	imatrix.importance["token_embd.weight"] = {1, 2, 3};
	const ImatrixUse uses[] = {{"token_embd.weight", 8, 1}};
	const auto findings = checkImatrix(imatrix, uses);
	ASSERT_TRUE(findings.ok());
	EXPECT_EQ(findings->ignored, std::vector<std::string>{"token_embd.weight"});
	EXPECT_EQ(findings->used, 0u);
}

TEST(CheckImatrix, DoesNotOverflowOnAbsurdShapes) {
	const ImatrixUse uses[] = {{"a.weight", uint64_t(1) << 61, 8}};
	EXPECT_FALSE(checkImatrix(suiting(), uses).ok());
}
