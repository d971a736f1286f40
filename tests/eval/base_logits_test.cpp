// The base-logits file: what is written is read again, and nothing in a file is trusted.
#include "eval/base_logits.h"
#include "tests/temp_folder.h"

#include <cmath>
#include <cstring>
#include <random>

using namespace vkq;
using namespace vkq::test;

namespace {

constexpr uint32_t kVocabulary = 7;   // odd: rows are padded

TextChunks twoChunks() {
	TextChunks chunks{4, {1, 2, 3, 4, 1, 5, 6, 0}, {0, 2, 3, 4, 0, 5, 6, 0}};
	return chunks;
}

std::vector<std::vector<float>> randomLogits() {
	std::mt19937 random(7);
	std::vector<std::vector<float>> rows(2, std::vector<float>(kVocabulary));
	for (auto& row : rows)
		for (float& logit : row) logit = float(int(random() % 2000) - 1000) / 100;
	return rows;
}

std::filesystem::path writtenFile(const TempFolder& folder) {
	const auto path = folder / "base.bin";
	auto writer = BaseLogitsWriter::create(path, twoChunks(), kVocabulary, false);
	EXPECT_TRUE(writer.ok());
	for (const auto& row : randomLogits()) EXPECT_TRUE(writer->add(row).ok());
	EXPECT_TRUE(writer->finish().ok());
	return path;
}

std::string whyNot(const TempFolder& folder, const std::vector<std::byte>& bytes) {
	writeFile(folder / "bad.bin", bytes);
	const auto opened = BaseLogits::open(folder / "bad.bin");
	EXPECT_FALSE(opened.ok());
	if (opened) return "";
	EXPECT_EQ(opened.error().code, ErrorCode::kMalformed) << opened.error().message;
	EXPECT_NE(opened.error().message.find("bad.bin"), std::string::npos) << opened.error().message;
	return opened.error().message;
}

void put(std::vector<std::byte>& bytes, size_t at, int32_t value) { std::memcpy(bytes.data() + at, &value, 4); }

}  // namespace

TEST(BaseLogits, AreReadAsTheyWereWritten) {
	const TempFolder folder;
	const auto base = BaseLogits::open(writtenFile(folder));
	ASSERT_TRUE(base.ok()) << base.error().message;
	EXPECT_EQ(base->context(), 4u);
	EXPECT_EQ(base->vocabulary(), kVocabulary);
	EXPECT_EQ(base->chunks(), 2u);
	EXPECT_EQ(base->tokens(), twoChunks().original);
	const auto rows = randomLogits();
	std::vector<float> read;
	for (size_t r = 0; r < rows.size(); ++r) {
		ASSERT_TRUE(base->read(r, read).ok());
		const float highest = *std::max_element(rows[r].begin(), rows[r].end());
		double sum = 0;
		for (const float logit : rows[r]) sum += std::exp(double(logit) - highest);
		for (uint32_t i = 0; i < kVocabulary; ++i) {
			const double wanted = std::max(double(rows[r][i]) - highest, -16.0) - std::log(sum);   // 16 below the largest is the floor
			EXPECT_NEAR(read[i], wanted, 16.0 / 65535) << r << ' ' << i;
		}
	}
}

TEST(BaseLogits, OfEqualLogitsAreEqualProbabilities) {
	const std::vector<float> flat(kVocabulary, 3.5f);
	const auto words = packLogProbabilities(flat);
	float scale, lowest;
	std::memcpy(&scale, &words[0], 4);
	std::memcpy(&lowest, &words[2], 4);
	EXPECT_EQ(scale, 0);
	EXPECT_NEAR(lowest, -std::log(double(kVocabulary)), 1e-6);
	EXPECT_EQ(words.size(), 4u + 8u);
}

TEST(BaseLogits, AnUnfinishedFileLeavesNothing) {
	const TempFolder folder;
	{ ASSERT_TRUE(BaseLogitsWriter::create(folder / "base.bin", twoChunks(), kVocabulary, false).ok()); }
	EXPECT_TRUE(folder.listing().empty());
}

TEST(BaseLogits, AnExistingFileIsKeptUnlessForced) {
	const TempFolder folder;
	const auto path = writtenFile(folder);
	const auto again = BaseLogitsWriter::create(path, twoChunks(), kVocabulary, false);
	ASSERT_FALSE(again.ok());
	EXPECT_EQ(again.error().code, ErrorCode::kExists);
	EXPECT_TRUE(BaseLogitsWriter::create(path, twoChunks(), kVocabulary, true).ok());
}

TEST(BaseLogits, EveryCutIsRefused) {
	const TempFolder folder;
	const auto whole = readFile(writtenFile(folder));
	for (size_t length = 0; length < whole.size(); ++length) whyNot(folder, {whole.begin(), whole.begin() + std::ptrdiff_t(length)});
}

TEST(BaseLogits, ImpossibleHeadersAreRefused) {
	const TempFolder folder;
	const auto whole = readFile(writtenFile(folder));
	for (const auto& [at, value] : {std::pair<size_t, int32_t>{8, 0}, {8, -4}, {8, INT32_MAX}, {12, 0}, {12, -1}, {12, INT32_MAX}, {16, 0}, {16, -2}, {16, INT32_MAX}}) {
		auto bytes = whole;
		put(bytes, at, value);
		whyNot(folder, bytes);
	}
	auto bytes = whole;
	bytes[0] = std::byte('x');
	EXPECT_NE(whyNot(folder, bytes).find("no base-logits file"), std::string::npos);
	bytes = whole;
	put(bytes, 20, int32_t(kVocabulary));
	EXPECT_NE(whyNot(folder, bytes).find("outside of its vocabulary"), std::string::npos);
}
