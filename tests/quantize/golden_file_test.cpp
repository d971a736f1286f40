// What the reference's tool makes of the sample model, file type by file type, with and without an importance matrix: the files that
// we write through the Vulkan device must hold the same tensors, byte for byte, in files of the same size.
#include "ggufio/imatrix_file.h"
#include "quantize/job.h"
#include "tests/quant/sha256.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

using namespace vkq;
using nlohmann::json;

namespace {

const std::string kSource = VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf";
const std::string kGolden = VKQ_SOURCE_DIR "/tests/golden/";

struct GoldenFiles : testing::Test {
	json golden = json::parse(std::ifstream(kGolden + "orator-6m.golden.json"));
	std::unique_ptr<ModelSource> source;
	std::unique_ptr<vk::Device> device;
	Imatrix imatrix;
	test::TempFolder folder;

	void SetUp() override {
		source = std::move(openModelSource(kSource)).value();
		auto opened = vk::Device::open();
		ASSERT_TRUE(opened.ok()) << opened.error().message;
		device = std::move(opened).value();
		imatrix = std::move(openImatrix(kGolden + "orator-6m.imatrix.gguf")).value();
	}

	/// Makes every file type of the golden file in one pass over the source.
	void makeAll(Route route, bool with_imatrix) {
		std::vector<JobLevel> levels;
		std::vector<json> facts;
		for (const auto& [name, fact] : golden["file_types"].items()) {
			if (name.ends_with("+imatrix") != with_imatrix) continue;
			const FileTypeInfo* info = findFileType(name.substr(0, name.find('+')));
			ASSERT_NE(info, nullptr) << name;
			if (with_imatrix) imatrix.file = fact["kv"]["quantize.imatrix.file"].get<std::string>();   // its name is part of the file
			JobLevel level;
			level.options.mixture.target = *info;
			level.options.imatrix = with_imatrix ? &imatrix : nullptr;
			level.output = folder / (name + ".gguf");
			levels.push_back(level);
			facts.push_back(fact);
		}
		ASSERT_GT(levels.size(), 10u);
		auto plans = planLevels(*source, levels);
		ASSERT_TRUE(plans.ok()) << plans.error().message;
		JobOptions options;
		options.pipeline.route = route;
		auto result = runJob(*source, kSource, device.get(), levels, *plans, options);
		ASSERT_TRUE(result.ok()) << result.error().message;
		if (route == Route::Device) {
			EXPECT_GT(result->report.device_weights, result->report.host_weights);
		} else {
			EXPECT_EQ(result->report.device_weights, 0u);
		}

		for (size_t i = 0; i < levels.size(); ++i) {
			const std::string name = levels[i].output.filename().string();
			auto file = GgufFile::open(levels[i].output);
			ASSERT_TRUE(file.ok()) << file.error().message;
			EXPECT_EQ(file->shardFileBytes(0), facts[i]["file_bytes"].get<uint64_t>()) << name;
			EXPECT_EQ(file->metadata().unsignedInt("general.file_type"), facts[i]["kv"]["general.file_type"].get<uint64_t>()) << name;
			for (const auto& [tensor_name, fact] : facts[i]["tensors"].items()) {
				const TensorInfo* tensor = file->findTensor(tensor_name);
				ASSERT_NE(tensor, nullptr) << name << " " << tensor_name;
				EXPECT_EQ(typeName(tensor->type), fact["type"].get<std::string>()) << name << " " << tensor_name;
				EXPECT_EQ(sha256(file->data(*tensor)), fact["sha256"].get<std::string>()) << name << " " << tensor_name;
			}
		}
	}
};

}  // namespace

TEST_F(GoldenFiles, AreTheReferencesThroughTheDevice) { makeAll(Route::Device, false); }
TEST_F(GoldenFiles, AreTheReferencesThroughTheDeviceWithImportance) { makeAll(Route::Device, true); }
TEST_F(GoldenFiles, AreTheReferencesThroughTheHost) { makeAll(Route::Host, false); }
TEST_F(GoldenFiles, AreTheReferencesThroughTheHostWithImportance) { makeAll(Route::Host, true); }
