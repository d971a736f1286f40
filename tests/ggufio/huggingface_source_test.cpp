#include "ggufio/model_source.h"

#include "tests/temp_folder.h"
#include "write_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

using namespace vkq;
using namespace vkq::test;

namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(VKQ_SOURCE_DIR) / "models";

}  // namespace

TEST(HuggingFaceSource, GivesTheSameTensorsAsAnIndependentConversionOfTheSample) {
	const auto source = openModelSource(kModels / "orator-6m");
	ASSERT_TRUE(source.ok()) << source.error().message;
	const auto reference = openModelSource(kModels / "orator-6m-f16.gguf");
	ASSERT_TRUE(reference.ok());
	const auto ours = (*source)->tensors(), theirs = (*reference)->tensors();
	ASSERT_EQ(ours.size(), theirs.size());
	for (size_t i = 0; i < ours.size(); ++i) {
		EXPECT_EQ(ours[i].name, theirs[i].name);
		EXPECT_EQ(ours[i].ne, theirs[i].ne) << ours[i].name;
		EXPECT_EQ(ours[i].dimensions, theirs[i].dimensions) << ours[i].name;
		const auto our_bytes = rowsAs(**source, i, TensorType::F16), their_bytes = rowsAs(**reference, i, TensorType::F16);
		ASSERT_TRUE(our_bytes.ok()) << our_bytes.error().message;
		EXPECT_TRUE(*our_bytes == *their_bytes) << ours[i].name;
	}
}

TEST(HuggingFaceSource, GivesTheSameMetadataAsAnIndependentConversionOfTheSample) {
	const auto source = openModelSource(kModels / "orator-6m");
	ASSERT_TRUE(source.ok()) << source.error().message;
	const auto reference = openModelSource(kModels / "orator-6m-f16.gguf");
	ASSERT_TRUE(reference.ok());
	const Metadata& ours = (*source)->metadata();
	std::set<std::string> more;
	for (const MetaEntry& entry : ours.entries()) more.insert(entry.key);
	for (const MetaEntry& entry : (*reference)->metadata().entries()) {
		const MetaValue* value = ours.find(entry.key);
		ASSERT_NE(value, nullptr) << entry.key;
		if (entry.key == "general.file_type") EXPECT_EQ(*value, MetaValue(uint32_t(32)));   // the source is in bfloat16
		else EXPECT_TRUE(*value == entry.value) << entry.key;
		more.erase(entry.key);
	}
	EXPECT_EQ(more, (std::set<std::string>{"general.type", "general.size_label", "llama.attention.key_length", "llama.attention.value_length"}));
	EXPECT_EQ(ours.string("general.size_label"), "5.8M");
	EXPECT_TRUE((*source)->warnings().empty());
}

TEST(HuggingFaceSource, ConvertsTheModelsOfAFolder) {
	const char* folder = std::getenv("VKQ_TINY_RANDOM");
	if (!folder) GTEST_SKIP() << "VKQ_TINY_RANDOM names no folder of models";
	const char* output = std::getenv("VKQ_TINY_RANDOM_OUT");   // where to leave the GGUF files, to look at them
	const TempFolder temp;
	for (const auto& entry : fs::directory_iterator(folder)) {
		const auto source = openModelSource(entry.path());
		ASSERT_TRUE(source.ok()) << source.error().message;
		for (const std::string& warning : (*source)->warnings()) ADD_FAILURE() << warning;
		const fs::path path = (output ? fs::path(output) : temp.path()) / (entry.path().filename().string() + ".gguf");
		const auto written = writeSource(**source, TensorType::F32, path);
		ASSERT_TRUE(written.ok()) << written.error().message;
	}
}
