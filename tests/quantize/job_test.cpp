#include "quantize/job.h"

#include "core/half.h"
#include "ggufio/lost_pages.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

using namespace vkq;
using test::readFile;
using test::TempFolder;

namespace {

const std::string kSource = VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf";

std::unique_ptr<ModelSource> open(const std::filesystem::path& path) {
	auto source = openModelSource(path);
	EXPECT_TRUE(source.ok()) << source.error().message;
	return source.ok() ? std::move(source).value() : nullptr;
}

JobLevel level(const char* type, const std::filesystem::path& output) {
	JobLevel result;
	result.options.mixture.target = *findFileType(type);
	result.output = output;
	return result;
}

/// On the host: these tests are about files, and the device's bytes are golden_file_test's.
Result<JobResult> run(const std::filesystem::path& input, const std::vector<JobLevel>& levels, JobOptions options = {}) {
	VKQ_TRY(const auto source, openModelSource(input));
	VKQ_TRY(const auto plans, planLevels(*source, levels));
	options.pipeline.route = Route::Host;
	return runJob(*source, input, nullptr, levels, plans, options);
}

/// A llama-like model of two tensors whose rows the test chooses.
void writeModel(const std::filesystem::path& path, const std::vector<float>& weights, uint64_t columns, TensorType type) {
	Metadata metadata;
	metadata.set("general.architecture", std::string("llama"));
	metadata.set("llama.block_count", uint32_t(1));
	TensorInfo tensor;
	tensor.name = "blk.0.ffn_up.weight";
	tensor.dimensions = 2;
	tensor.ne = {columns, weights.size() / columns, 1, 1};
	tensor.type = type;
	auto layout = layOutGguf(metadata, {tensor});
	ASSERT_TRUE(layout.ok()) << layout.error().message;
	std::vector<std::byte> bytes(layout->tensors[0].bytes);
	for (size_t i = 0; i < weights.size(); ++i) {
		const uint16_t half = type == TensorType::BF16 ? floatToBfloat(weights[i]) : floatToHalf(weights[i]);
		if (type == TensorType::F32) std::memcpy(bytes.data() + 4 * i, &weights[i], 4);
		else std::memcpy(bytes.data() + 2 * i, &half, 2);
	}
	auto writer = GgufWriter::create(path, metadata, std::move(layout).value(), true);
	ASSERT_TRUE(writer.ok());
	ASSERT_TRUE(writer->write(0, 0, bytes).ok());
	ASSERT_TRUE(writer->finish().ok());
}

}  // namespace

TEST(Job, SeveralLevelsAtOnceAreTheSameFilesAsOneByOne) {
	TempFolder folder;
	ASSERT_TRUE(run(kSource, {level("Q4_0", folder / "a0"), level("Q8_0", folder / "a1"), level("Q5_0", folder / "a2")}).ok());
	ASSERT_TRUE(run(kSource, {level("Q4_0", folder / "b0")}).ok());
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "b1")}).ok());
	ASSERT_TRUE(run(kSource, {level("Q5_0", folder / "b2")}).ok());
	for (const char* digit : {"0", "1", "2"}) EXPECT_TRUE(readFile(folder / (std::string("a") + digit)) == readFile(folder / (std::string("b") + digit)));
}

TEST(Job, LeavesNothingBehindWhenInterrupted) {
	TempFolder folder;
	std::atomic<bool> interrupted = false;
	JobOptions options;
	options.pipeline.interrupted = &interrupted;
	options.pipeline.progress = [&](const Progress& progress) { interrupted = progress.bytes_done > 4 << 20; };
	const auto result = run(kSource, {level("Q8_0", folder / "out.gguf")}, options);
	ASSERT_FALSE(result.ok());
	EXPECT_EQ(result.error().code, ErrorCode::kInterrupted);
	EXPECT_TRUE(folder.listing().empty());
}

TEST(Job, ContinuesWhereItWasInterrupted) {
	TempFolder folder;
	std::atomic<bool> interrupted = false;
	JobOptions options;
	options.resume = true;
	options.pipeline.interrupted = &interrupted;
	options.pipeline.progress = [&](const Progress& progress) { interrupted = progress.bytes_done > 4 << 20; };
	EXPECT_EQ(run(kSource, {level("Q8_0", folder / "out.gguf")}, options).error().code, ErrorCode::kInterrupted);
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"out.gguf.journal", "out.gguf.partial"}));

	options.pipeline.interrupted = nullptr;
	options.pipeline.progress = nullptr;
	const auto result = run(kSource, {level("Q8_0", folder / "out.gguf")}, options);
	ASSERT_TRUE(result.ok()) << result.error().message;
	EXPECT_GT(result->resumed_tensors, 0u);
	EXPECT_LT(result->report.host_weights, 5'800'000u);   // not all of them again
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"out.gguf"}));
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "whole.gguf")}).ok());
	EXPECT_TRUE(readFile(folder / "out.gguf") == readFile(folder / "whole.gguf"));
}

TEST(Job, ASourceThatIsCutShortMeanwhileIsAnErrorAndLeavesNothing) {
	guardLostPages();
	auto device = vk::Device::open();
	ASSERT_TRUE(device.ok()) << device.error().message;
	for (const Route route : {Route::Host, Route::Device}) {
		TempFolder folder;
		std::filesystem::copy_file(kSource, folder / "in.gguf");
		JobOptions options;
		options.pipeline.route = route;
		options.pipeline.slab_weights = 1 << 18;
		options.pipeline.slots = 1;   // what the device reads in place meanwhile cannot be guarded
		options.pipeline.progress = [&](const Progress& progress) {
			if (progress.bytes_done > 2 << 20) std::filesystem::resize_file(folder / "in.gguf", 4 << 20);
		};
		const auto source = open(folder / "in.gguf");
		const std::vector levels{level("Q4_K_M", folder / "out.gguf")};
		const auto plans = planLevels(*source, levels);
		ASSERT_TRUE(plans.ok());
		const auto result = runJob(*source, folder / "in.gguf", device->get(), levels, *plans, options);
		ASSERT_FALSE(result.ok());
		EXPECT_EQ(result.error().code, ErrorCode::kIo);
		EXPECT_NE(result.error().message.find("in.gguf: has become shorter while it was read"), std::string::npos) << result.error().message;
		EXPECT_EQ(folder.listing(), (std::vector<std::string>{"in.gguf"}));
	}
}

TEST(Job, DoesNotContinueWithOtherSettings) {
	for (const Search search : {Search::kReference, Search::kBest}) {
		TempFolder folder;
		std::atomic<bool> interrupted = false;
		JobOptions options;
		options.resume = true;
		options.pipeline.interrupted = &interrupted;
		options.pipeline.progress = [&](const Progress& progress) { interrupted = progress.bytes_done > 4 << 20; };
		EXPECT_FALSE(run(kSource, {level("Q8_0", folder / "out.gguf")}, options).ok());
		options.pipeline.interrupted = nullptr;
		options.pipeline.progress = nullptr;
		// Another type, or the same type searched further.
		JobLevel other = level(search == Search::kBest ? "Q8_0" : "Q4_0", folder / "out.gguf");
		other.options.search = search;
		const auto result = run(kSource, {other}, options);
		ASSERT_TRUE(result.ok()) << result.error().message;
		EXPECT_EQ(result->resumed_tensors, 0u);
		other.output = folder / "whole.gguf";
		ASSERT_TRUE(run(kSource, {other}).ok());
		EXPECT_TRUE(readFile(folder / "out.gguf") == readFile(folder / "whole.gguf"));
	}
}

TEST(Job, RefusesNanAndInfinityNamingTheTensor) {
	for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
		for (const TensorType type : {TensorType::F32, TensorType::F16, TensorType::BF16})
			for (const char* target : {"Q4_K_M", "Q8_0", "F16", "F32", "BF16"}) {
				TempFolder folder;
				std::vector<float> weights(512 * 4, 0.25f);
				weights[700] = bad;
				writeModel(folder / "in.gguf", weights, 512, type);
				const auto result = run(folder / "in.gguf", {level(target, folder / "out.gguf")});
				ASSERT_FALSE(result.ok()) << target;
				EXPECT_EQ(result.error().code, ErrorCode::kInvalidData);
				EXPECT_NE(result.error().message.find("blk.0.ffn_up.weight"), std::string::npos) << result.error().message;
				EXPECT_EQ(folder.listing(), (std::vector<std::string>{"in.gguf"}));
			}
}

TEST(Job, RefusesWeightsWhoseScaleOverflows) {
	TempFolder folder;
	std::vector<float> weights(512 * 2, 1.0f);
	weights[3] = 3e38f;
	writeModel(folder / "in.gguf", weights, 512, TensorType::F32);
	const auto result = run(folder / "in.gguf", {level("Q8_0", folder / "out.gguf")});
	ASSERT_FALSE(result.ok());
	EXPECT_EQ(result.error().code, ErrorCode::kInvalidData);
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"in.gguf"}));
}

TEST(Job, RefusesAnAlreadyQuantizedSourceUnlessAsked) {
	TempFolder folder;
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "q8.gguf")}).ok());
	const auto refused = run(folder / "q8.gguf", {level("Q4_0", folder / "q4.gguf")});
	ASSERT_FALSE(refused.ok());
	EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
	EXPECT_NE(refused.error().hint.find("--allow-requantize"), std::string::npos);
	JobLevel allowed = level("Q4_0", folder / "q4.gguf");
	allowed.options.allow_requantize = true;
	EXPECT_TRUE(run(folder / "q8.gguf", {allowed}).ok());
}

TEST(Job, CopiesQuantizedTensorsThatHaveTheTypeAlready) {
	TempFolder folder;
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "a.gguf")}).ok());
	ASSERT_TRUE(run(folder / "a.gguf", {level("Q8_0", folder / "b.gguf")}).ok());
	EXPECT_TRUE(readFile(folder / "a.gguf") == readFile(folder / "b.gguf"));
}

TEST(Job, KeepsAnExistingOutputUnlessForced) {
	TempFolder folder;
	test::writeFile(folder / "out.gguf", {});
	EXPECT_EQ(run(kSource, {level("Q8_0", folder / "out.gguf")}).error().code, ErrorCode::kExists);
	EXPECT_EQ(readFile(folder / "out.gguf").size(), 0u);
	JobOptions force;
	force.force = true;
	EXPECT_TRUE(run(kSource, {level("Q8_0", folder / "out.gguf")}, force).ok());
	EXPECT_GT(readFile(folder / "out.gguf").size(), 1u << 20);
}

TEST(Job, NeverWritesOverItsInput) {
	TempFolder folder;
	std::filesystem::copy_file(kSource, folder / "in.gguf");
	JobOptions force;
	force.force = true;
	EXPECT_EQ(run(folder / "in.gguf", {level("Q8_0", folder / "in.gguf")}, force).error().code, ErrorCode::kUsage);
	EXPECT_TRUE(readFile(folder / "in.gguf") == readFile(kSource));
}

TEST(Job, GoesOnWhenTheSourceVanishesFromItsFolder) {
	TempFolder folder;
	std::filesystem::copy_file(kSource, folder / "in.gguf");
	JobOptions options;
	options.pipeline.progress = [&](const Progress&) { std::filesystem::remove(folder / "in.gguf"); };
	ASSERT_TRUE(run(folder / "in.gguf", {level("Q8_0", folder / "out.gguf")}, options).ok());   // the open file stays until it is closed
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "whole.gguf")}).ok());
	EXPECT_TRUE(readFile(folder / "out.gguf") == readFile(folder / "whole.gguf"));
}

TEST(Job, PrunesLayersAndRenumbersTheRest) {
	TempFolder folder;
	JobLevel pruned = level("Q8_0", folder / "out.gguf");
	pruned.options.prune_layers = {1, 4};
	ASSERT_TRUE(run(kSource, {pruned}).ok());
	const auto out = open(folder / "out.gguf"), in = open(kSource);
	EXPECT_EQ(out->metadata().unsignedInt("llama.block_count"), 4u);
	EXPECT_EQ(out->metadata().entries().back().key, "llama.block_count");
	EXPECT_EQ(out->tensors().size(), in->tensors().size() - 2 * 9);
	EXPECT_EQ(out->tensors().back().name, "blk.3.ffn_up.weight");
}

TEST(Job, RefusesToPruneALayerThatIsNotThere) {
	TempFolder folder;
	JobLevel pruned = level("Q8_0", folder / "out.gguf");
	pruned.options.prune_layers = {1, 77};
	const auto result = run(kSource, {pruned});
	ASSERT_FALSE(result.ok());
	EXPECT_EQ(result.error().code, ErrorCode::kUsage);
	EXPECT_EQ(result.error().message, kSource + " has no layer 77: its layers are 0 to 5");
}

TEST(Job, SplitsOutputsAndKeepsAnInputsSplit) {
	TempFolder folder;
	JobLevel split = level("Q8_0", folder / "out.gguf");
	split.options.split_max_bytes = 2 << 20;
	const auto result = run(kSource, {split});
	ASSERT_TRUE(result.ok()) << result.error().message;
	ASSERT_GT(result->files[0].size(), 2u);
	ASSERT_TRUE(run(kSource, {level("Q8_0", folder / "whole.gguf")}).ok());
	const auto shards = GgufFile::open(result->files[0][0]), whole = GgufFile::open(folder / "whole.gguf");
	ASSERT_TRUE(shards.ok() && whole.ok());
	ASSERT_EQ(shards->tensors().size(), whole->tensors().size());
	for (const TensorInfo& tensor : shards->tensors()) {
		const Bytes a = shards->data(tensor), b = whole->data(*whole->findTensor(tensor.name));
		ASSERT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end())) << tensor.name;
	}

	// And back: every shard of the copy holds the tensors of the input's.
	const auto source = openGgufSource(result->files[0][0], TensorOrder::Stored);
	ASSERT_TRUE(source.ok());
	JobLevel copy = level("Q8_0", folder / "copy.gguf");
	copy.options.copy = true;
	JobOptions options;
	options.keep_split = true;
	const auto copied = runJob(**source, result->files[0][0], nullptr, {copy}, *planLevels(**source, {copy}), options);
	ASSERT_TRUE(copied.ok()) << copied.error().message;
	ASSERT_EQ(copied->files[0].size(), result->files[0].size());
	for (size_t shard = 0; shard < result->files[0].size(); ++shard) EXPECT_TRUE(readFile(copied->files[0][shard]) == readFile(result->files[0][shard]));
}

TEST(DefaultOutput, LiesBesideTheInputAndNamesTheType) {
	EXPECT_EQ(defaultOutput("a/model-f16.gguf", "Q4_K_M"), "a/model-Q4_K_M.gguf");
	EXPECT_EQ(defaultOutput("a/model-BF16.gguf", "Q6_K"), "a/model-Q6_K.gguf");
	EXPECT_EQ(defaultOutput("model.gguf", "Q8_0"), "model-Q8_0.gguf");
	EXPECT_EQ(defaultOutput("a/Llama-3.2-1B/", "Q8_0"), "a/Llama-3.2-1B-Q8_0.gguf");
	EXPECT_EQ(defaultOutput("a/Llama-3.2-1B", "Q8_0"), "a/Llama-3.2-1B-Q8_0.gguf");
}
