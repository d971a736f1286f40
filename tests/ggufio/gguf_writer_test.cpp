#include "ggufio/gguf_writer.h"

#include "gguf_image.h"
#include "ggufio/model_source.h"
#include "ggufio/split_name.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

#include <unistd.h>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::filesystem::path kSample = std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf";

std::vector<TensorInfo> tensorsOf(const GgufFile& file) { return {file.tensors().begin(), file.tensors().end()}; }

Metadata twoEntries() {
	Metadata metadata;
	metadata.set("general.architecture", std::string("llama"));
	metadata.set("general.file_type", uint32_t(1));
	return metadata;
}

TensorInfo tensor(std::string name, std::vector<uint64_t> ne, TensorType type = TensorType::F32) {
	TensorInfo info;
	info.name = std::move(name);
	info.dimensions = uint32_t(ne.size());
	std::copy(ne.begin(), ne.end(), info.ne.begin());
	info.type = type;
	return info;
}

GgufLayout layoutOf(std::vector<TensorInfo> tensors) {
	auto layout = layOutGguf(twoEntries(), std::move(tensors));
	EXPECT_TRUE(layout.ok());
	return std::move(layout).value();
}

/// Copies every tensor of `source` into `writer`, in pieces, from two threads.
void copyTensors(const ModelSource& source, GgufWriter& writer) {
	const auto copyEvery = [&](size_t first) {
		for (size_t i = first; i < source.tensors().size(); i += 2) {
			const Bytes bytes = source.mapped(i);
			const size_t half = bytes.size() / 2;
			ASSERT_TRUE(writer.write(i, half, bytes.subspan(half)).ok());
			ASSERT_TRUE(writer.write(i, 0, bytes.first(half)).ok());
		}
	};
	std::thread other(copyEvery, 1);
	copyEvery(0);
	other.join();
}

}  // namespace

TEST(GgufLayout, SerializesTheSampleModelExactlyAsItWas) {
	const auto file = GgufFile::open(kSample);
	ASSERT_TRUE(file.ok());
	const auto layout = layOutGguf(file->metadata(), tensorsOf(*file));
	ASSERT_TRUE(layout.ok()) << layout.error().message;
	EXPECT_EQ(layout->header_bytes, file->dataStart(0));
	EXPECT_EQ(layout->file_bytes, std::filesystem::file_size(kSample));
	const auto header = ggufHeader(file->metadata(), *layout);
	const auto original = readFile(kSample);
	EXPECT_TRUE(std::equal(header.begin(), header.end(), original.begin()));
	for (size_t i = 0; i < layout->tensors.size(); ++i) EXPECT_EQ(layout->tensors[i].offset, file->tensors()[i].offset);
}

TEST(GgufLayout, SerializesEveryMetadataTypeExactlyAsItWas) {
	const GgufImage image = smallImage();
	const auto file = GgufFile::parse(image.bytes, "x.gguf");
	const auto layout = layOutGguf(file->metadata(), tensorsOf(*file));
	ASSERT_TRUE(layout.ok());
	const auto header = ggufHeader(file->metadata(), *layout);
	EXPECT_TRUE(std::equal(header.begin(), header.end(), image.bytes.begin()));
	EXPECT_EQ(layout->file_bytes, image.bytes.size());
}

TEST(GgufLayout, RefusesWhatTheFormatCannotHold) {
	EXPECT_EQ(layOutGguf({}, {tensor("w", {40}, TensorType::Q4_0)}).error().message,
	          "tensor 'w' cannot be stored as Q4_0: its shape is no whole number of blocks, or too large");
	EXPECT_EQ(layOutGguf({}, {tensor("w", {1}), tensor("w", {1})}).error().message, "tensor 'w' occurs twice");
	EXPECT_FALSE(layOutGguf({}, {tensor(std::string(64, 'n'), {1})}).ok());
	EXPECT_FALSE(layOutGguf({}, {tensor("w", {uint64_t(1) << 40, uint64_t(1) << 40})}).ok());
}

TEST(GgufWriter, RewritesTheSampleModelByteForByte) {
	const TempFolder folder;
	const auto file = GgufFile::open(kSample);
	ASSERT_TRUE(file.ok());
	auto layout = layOutGguf(file->metadata(), tensorsOf(*file));
	{
		auto writer = GgufWriter::create(folder / "copy.gguf", file->metadata(), std::move(*layout), false);
		ASSERT_TRUE(writer.ok()) << writer.error().message;
		for (size_t i = 0; i < file->tensors().size(); ++i) ASSERT_TRUE(writer->write(i, 0, file->data(file->tensors()[i])).ok());
		EXPECT_EQ(folder.listing(), std::vector<std::string>{"copy.gguf.partial"});
		ASSERT_TRUE(writer->finish().ok());
	}
	EXPECT_EQ(folder.listing(), std::vector<std::string>{"copy.gguf"});
	EXPECT_TRUE(readFile(folder / "copy.gguf") == readFile(kSample));
}

TEST(GgufWriter, EqualsWhatTheReferenceToolWrites) {
	const char* peer = std::getenv("VKQ_PEER");
	if (!peer) GTEST_SKIP() << "VKQ_PEER is not set";
	const TempFolder folder;
	std::filesystem::copy(kSample, folder / "in.gguf");
	const std::string command = "cd " + folder.path().string() + " && " + peer + " llama-quantize in.gguf peer.gguf F16 2 > /dev/null 2>&1";
	ASSERT_EQ(std::system(command.c_str()), 0);

	const auto source = openGgufSource(kSample);
	ASSERT_TRUE(source.ok());
	Metadata metadata = (*source)->metadata();
	metadata.set("general.quantization_version", uint32_t(2));
	metadata.set("general.file_type", uint32_t(1));
	auto layout = layOutGguf(metadata, {(*source)->tensors().begin(), (*source)->tensors().end()});
	ASSERT_TRUE(layout.ok());
	auto writer = GgufWriter::create(folder / "ours.gguf", metadata, std::move(*layout), false);
	ASSERT_TRUE(writer.ok());
	copyTensors(**source, *writer);
	ASSERT_TRUE(writer->finish().ok());
	EXPECT_TRUE(readFile(folder / "ours.gguf") == readFile(folder / "peer.gguf"));
}

TEST(GgufWriter, LeavesNothingBehindWhenItIsDropped) {
	const TempFolder folder;
	{
		auto writer = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({tensor("w", {64})}), false);
		ASSERT_TRUE(writer.ok());
		EXPECT_EQ(writer->finish().error().message, (folder / "x.gguf").string() + ": incomplete: 0 of 256 bytes of tensors were written");
		EXPECT_EQ(folder.listing(), std::vector<std::string>{"x.gguf.partial"});
	}
	EXPECT_TRUE(folder.listing().empty());
}

TEST(GgufWriter, DoesNotReplaceAFileUnlessToldTo) {
	const TempFolder folder;
	writeFile(folder / "x.gguf", {});
	auto refused = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_FALSE(refused.ok());
	EXPECT_EQ(refused.error().code, ErrorCode::kExists);
	EXPECT_EQ(folder.listing(), std::vector<std::string>{"x.gguf"});
	auto forced = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), true);
	ASSERT_TRUE(forced.ok());
	ASSERT_TRUE(forced->finish().ok());
	EXPECT_TRUE(GgufFile::open(folder / "x.gguf").ok());
}

TEST(GgufWriter, DoesNotReplaceAFileThatAppearedMeanwhile) {
	const TempFolder folder;
	auto writer = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_TRUE(writer.ok());
	writeFile(folder / "x.gguf", {});
	EXPECT_EQ(writer->finish().error().code, ErrorCode::kExists);
	EXPECT_EQ(std::filesystem::file_size(folder / "x.gguf"), 0u);
}

TEST(GgufWriter, NoticesAnotherWriterOfTheSameOutput) {
	const TempFolder folder;
	auto first = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_TRUE(first.ok());
	auto second = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_FALSE(second.ok());
	EXPECT_EQ(second.error().message, (folder / "x.gguf").string() + ": is being written by another process");
	ASSERT_TRUE(first->finish().ok());
}

TEST(GgufWriter, TakesOverWhatAKilledProcessLeft) {
	const TempFolder folder;
	writeFile(folder / "x.gguf.partial", smallImage().bytes);
	auto writer = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({tensor("w", {5})}), false);
	ASSERT_TRUE(writer.ok());
	const std::vector<std::byte> ones(20, std::byte(1));
	ASSERT_TRUE(writer->write(0, 0, ones).ok());
	ASSERT_TRUE(writer->finish().ok());
	const auto bytes = readFile(folder / "x.gguf");
	EXPECT_EQ(bytes.size() % 32, 0u);
	EXPECT_TRUE(std::all_of(bytes.end() - 12, bytes.end(), [](std::byte b) { return b == std::byte(0); }));
}

TEST(GgufWriter, SaysWhatIsWrongWithTheOutputsPlace) {
	const TempFolder folder;
	const auto missing = GgufWriter::create(folder / "no/where/x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_FALSE(missing.ok());
	EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
	EXPECT_EQ(missing.error().message, (folder / "no/where").string() + ": no such folder");
	const auto a_folder = GgufWriter::create(folder.path(), twoEntries(), layoutOf({}), false);
	ASSERT_FALSE(a_folder.ok());
	EXPECT_EQ(a_folder.error().code, ErrorCode::kUsage);
	if (::geteuid() == 0) return;   // root may write anywhere
	std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
	const auto read_only = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({}), false);
	ASSERT_FALSE(read_only.ok());
	EXPECT_EQ(read_only.error().message, folder.path().string() + ": no permission to write there: Permission denied");
}

TEST(GgufWriter, ChecksFreeSpaceBeforeTheFirstByte) {
	const TempFolder folder;
	auto layout = layOutGguf({}, {tensor("w", {uint64_t(1) << 50})});   // 4 PiB
	ASSERT_TRUE(layout.ok());
	const auto writer = GgufWriter::create(folder / "x.gguf", {}, std::move(*layout), false);
	ASSERT_FALSE(writer.ok());
	EXPECT_EQ(writer.error().code, ErrorCode::kDiskFull);
	EXPECT_NE(writer.error().message.find(": not enough disk space: 4096.00 TiB needed, "), std::string::npos) << writer.error().message;
	EXPECT_TRUE(folder.listing().empty());
}

TEST(GgufWriter, ResumesWhatItKept) {
	const TempFolder folder;
	const auto layout = layoutOf({tensor("a", {64}), tensor("b", {64})});
	const std::vector<std::byte> ones(256, std::byte(1)), twos(256, std::byte(2));
	{
		auto writer = GgufWriter::create(folder / "x.gguf", twoEntries(), layout, false);
		ASSERT_TRUE(writer->write(0, 0, ones).ok());
		ASSERT_TRUE(writer->sync().ok());
		writer->keepPartial();
	}
	ASSERT_EQ(folder.listing(), std::vector<std::string>{"x.gguf.partial"});
	auto writer = GgufWriter::resume(folder / "x.gguf", twoEntries(), layout, false);
	ASSERT_TRUE(writer.ok()) << writer.error().message;
	std::vector<std::byte> found(256);
	ASSERT_TRUE(writer->readBack(0, 0, 256, found.data()).ok());
	EXPECT_TRUE(found == ones);
	writer->alreadyWritten(0, 256);
	ASSERT_TRUE(writer->write(1, 0, twos).ok());
	ASSERT_TRUE(writer->finish().ok());
	const auto file = GgufFile::open(folder / "x.gguf");
	ASSERT_TRUE(file.ok());
	EXPECT_TRUE(std::ranges::equal(file->data(file->tensors()[0]), ones));
	EXPECT_TRUE(std::ranges::equal(file->data(file->tensors()[1]), twos));
}

TEST(GgufWriter, DoesNotResumeAnotherJobAndKeepsItsFile) {
	const TempFolder folder;
	EXPECT_EQ(GgufWriter::resume(folder / "x.gguf", twoEntries(), layoutOf({}), false).error().code, ErrorCode::kNotFound);
	{
		auto writer = GgufWriter::create(folder / "x.gguf", twoEntries(), layoutOf({tensor("a", {64})}), false);
		ASSERT_TRUE(writer.ok());
		writer->keepPartial();
	}
	EXPECT_EQ(GgufWriter::resume(folder / "x.gguf", twoEntries(), layoutOf({tensor("b", {64})}), false).error().code, ErrorCode::kInvalidData);
	EXPECT_EQ(GgufWriter::resume(folder / "x.gguf", twoEntries(), layoutOf({tensor("a", {65})}), false).error().code, ErrorCode::kInvalidData);
	EXPECT_EQ(folder.listing(), std::vector<std::string>{"x.gguf.partial"});
}

TEST(SplitName, RoundTrips) {
	EXPECT_EQ(splitPath("dir/m", 1, 3), "dir/m-00002-of-00003.gguf");
	const auto name = parseSplitPath("dir/m-00002-of-00003.gguf");
	ASSERT_TRUE(name);
	EXPECT_EQ(name->prefix, "dir/m");
	EXPECT_EQ(name->shard, 1u);
	EXPECT_EQ(name->count, 3u);
	for (const char* other : {"m.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "-00001-of-00003.gguf", "m-0001-of-0003.gguf", "m-00001-of-00003.bin"})
		EXPECT_FALSE(parseSplitPath(other)) << other;
	EXPECT_EQ(splitPrefix("dir/m.gguf"), "dir/m");
	EXPECT_EQ(splitPrefix("dir/m-00002-of-00003.gguf"), "dir/m");
	EXPECT_EQ(splitPrefix("dir/m.v1"), "dir/m.v1");
}

class SplitModel : public testing::Test {
protected:
	void writeSplit(uint64_t max_bytes) {
		source_ = openGgufSource(kSample).value().release();
		const std::vector<TensorInfo> tensors(source_->tensors().begin(), source_->tensors().end());
		auto shards = layOutShards(folder_ / "m", source_->metadata(), tensors, shardsBySize(tensors, max_bytes));
		ASSERT_TRUE(shards.ok());
		auto writer = GgufWriter::create(std::move(*shards), false);
		ASSERT_TRUE(writer.ok()) << writer.error().message;
		count_ = writer->shardCount();
		copyTensors(*source_, *writer);
		ASSERT_TRUE(writer->finish().ok());
	}
	~SplitModel() override { delete source_; }

	TempFolder folder_;
	ModelSource* source_ = nullptr;
	uint32_t count_ = 0;
};

TEST_F(SplitModel, IsReadAsOneFromAnyOfItsParts) {
	writeSplit(4'000'000);
	ASSERT_GT(count_, 2u);
	for (uint32_t part : {0u, count_ - 1}) {
		const auto file = GgufFile::open(splitPath(folder_ / "m", part, count_));
		ASSERT_TRUE(file.ok()) << file.error().message;
		EXPECT_EQ(file->shardCount(), count_);
		EXPECT_EQ(file->metadata().string("general.architecture"), "llama");
		ASSERT_EQ(file->tensors().size(), source_->tensors().size());
		for (size_t i = 0; i < source_->tensors().size(); ++i) {
			EXPECT_EQ(file->tensors()[i].name, source_->tensors()[i].name);
			EXPECT_TRUE(std::ranges::equal(file->data(file->tensors()[i]), source_->mapped(i)));
		}
	}
}

TEST_F(SplitModel, KeepsEachPartWithinTheLimit) {
	writeSplit(4'000'000);
	for (uint32_t part = 0; part < count_; ++part) {
		const auto parsed = GgufFile::parse(readFile(splitPath(folder_ / "m", part, count_)), "part");
		ASSERT_TRUE(parsed.ok());
		uint64_t bytes = 0;
		for (const TensorInfo& info : parsed->tensors()) bytes += alignUp(info.bytes, 32);
		EXPECT_LE(bytes, 4'000'000u);
		EXPECT_EQ(parsed->metadata().unsignedInt("split.no"), part);
	}
}

TEST_F(SplitModel, NamesMissingParts) {
	writeSplit(4'000'000);
	std::filesystem::remove(splitPath(folder_ / "m", 1, count_));
	const auto file = GgufFile::open(splitPath(folder_ / "m", 0, count_));
	ASSERT_FALSE(file.ok());
	EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
	EXPECT_EQ(file.error().message, (folder_ / "m").string() + ": 1 of the model's " + std::to_string(count_) + " parts are missing: " +
	                                    splitPath("m", 1, count_).string());
}

TEST_F(SplitModel, RefusesATensorThatIsInTwoParts) {
	std::vector<TensorInfo> tensors{tensor("a", {8}), tensor("b", {8})};
	auto shards = layOutShards(folder_ / "m", twoEntries(), tensors, std::vector<uint32_t>{0, 1});
	(*shards)[1].layout.tensors[0].name = "a";
	auto writer = GgufWriter::create(std::move(*shards), false);
	const std::vector<std::byte> zeros(32);
	for (size_t i : {0u, 1u}) ASSERT_TRUE(writer->write(i, 0, zeros).ok());
	ASSERT_TRUE(writer->finish().ok());
	EXPECT_EQ(GgufFile::open(folder_ / "m-00001-of-00002.gguf").error().message,
	          (folder_ / "m-00002-of-00002.gguf").string() + ": tensor 'a' is in m-00001-of-00002.gguf already");
}

TEST_F(SplitModel, RefusesAPartOfAnotherModelAndARenamedPart) {
	writeSplit(4'000'000);
	const auto first = splitPath(folder_ / "m", 0, count_), second = splitPath(folder_ / "m", 1, count_);
	std::filesystem::copy_file(first, folder_ / "renamed.gguf");
	EXPECT_EQ(GgufFile::open(folder_ / "renamed.gguf").error().message,
	          (folder_ / "renamed.gguf").string() + ": is part 1 of " + std::to_string(count_) + " of a split model, but is not named so");
	std::filesystem::copy_file(kSample, second, std::filesystem::copy_options::overwrite_existing);
	EXPECT_EQ(GgufFile::open(first).error().message, second.string() + ": does not belong to the same split model as " + first.filename().string());
}

TEST_F(SplitModel, EqualsWhatTheReferenceToolWritesWhenItKeepsASplit) {
	const char* peer = std::getenv("VKQ_PEER");
	if (!peer) GTEST_SKIP() << "VKQ_PEER is not set";
	writeSplit(4'000'000);
	const auto input = splitPath("m", 0, count_);
	const std::string command = "cd " + folder_.path().string() + " && " + peer + " llama-quantize --keep-split " + input.string() + " theirs F16 2 > /dev/null 2>&1";
	ASSERT_EQ(std::system(command.c_str()), 0);

	const auto source = openGgufSource(folder_ / input.string(), TensorOrder::Stored);
	ASSERT_TRUE(source.ok());
	const std::vector<TensorInfo> tensors((*source)->tensors().begin(), (*source)->tensors().end());
	std::vector<uint32_t> shard_of;
	for (const TensorInfo& info : tensors) shard_of.push_back(info.shard);
	Metadata metadata = (*source)->metadata();
	metadata.set("general.quantization_version", uint32_t(2));
	metadata.set("general.file_type", uint32_t(1));
	auto shards = layOutShards(folder_ / "ours", metadata, tensors, shard_of);
	ASSERT_TRUE(shards.ok());
	auto writer = GgufWriter::create(std::move(*shards), false);
	ASSERT_TRUE(writer.ok());
	copyTensors(**source, *writer);
	ASSERT_TRUE(writer->finish().ok());
	for (uint32_t part = 0; part < count_; ++part)
		EXPECT_TRUE(readFile(splitPath(folder_ / "ours", part, count_)) == readFile(splitPath(folder_ / "theirs", part, count_))) << part;
}
