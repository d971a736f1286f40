#include "run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>

using namespace vkq::test;
using Json = nlohmann::json;

namespace {

const std::string kModel = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";

std::string lastLine(const std::string& text) {
	const size_t end = text.find_last_not_of('\n');
	const size_t begin = text.rfind('\n', end);
	return text.substr(begin + 1, end - begin);
}

Json json(std::vector<std::string> arguments) {
	arguments.push_back("--json");
	const ToolResult result = runTool("vkplan", arguments);
	return Json::parse(result.out, nullptr, false);
}

TEST(Vkplan, AnswersTheRuleOfThumbAsPublishedAdviceDoes) {
	EXPECT_EQ(lastLine(runTool("vkplan", {"--vram", "8", "--params", "7", "--overhead", "20%"}).out), "recommended: Q5_K_M");
	EXPECT_EQ(lastLine(runTool("vkplan", {"--vram", "24", "--params", "34", "--overhead", "20%"}).out), "recommended: Q4_K_M");
}

TEST(Vkplan, EndsWithTheBestTypeThatFits) {
	const ToolResult result = runTool("vkplan", {"--vram", "8", "--params", "7"});
	EXPECT_EQ(result.code, 0);
	EXPECT_EQ(lastLine(result.out), "recommended: Q6_K");
}

TEST(Vkplan, SaysWhatIsMissingWhenNothingFitsAndExitsWith3) {
	const ToolResult result = runTool("vkplan", {"--vram", "2", "--params", "7"});
	EXPECT_EQ(result.code, 3);
	EXPECT_TRUE(lastLine(result.out).starts_with("recommended: none (the smallest, Q2_K, needs 3.")) << lastLine(result.out);
	EXPECT_NE(lastLine(result.out).find("are missing"), std::string::npos);
	EXPECT_EQ(runTool("vkplan", {"--vram", "2", "--params", "70", "--overhead", "20%"}).code, 3);
}

TEST(Vkplan, CountsBareSizesInGiBAndTakesSuffixes) {
	EXPECT_EQ(json({"--vram", "8", "--params", "7"})["candidates"][0]["plan"]["heaps"][0]["available_bytes"], (8ull << 30) - (512ull << 20));
	EXPECT_EQ(json({"--vram", "8GB", "--params", "7", "--reserve", "0"})["candidates"][0]["plan"]["heaps"][0]["available_bytes"], 8000000000ull);
}

TEST(Vkplan, NeedsLessCacheForSmallerCacheTypes) {
	const auto cache = [](const char* type) {
		const Json answer = json({"--vram", "8", "--params", "7", "--kv", type});
		return answer["candidates"][0]["plan"]["k_cache_bytes"].get<uint64_t>() + answer["candidates"][0]["plan"]["v_cache_bytes"].get<uint64_t>();
	};
	EXPECT_EQ(cache("f16"), 512ull << 20);                  // 32 layers x 4096 tokens x 8 heads x 128 x 2 x 2 bytes
	EXPECT_EQ(cache("q8_0"), (512ull << 20) / 32 * 17);     // 34 bytes for 32 elements instead of 64
	EXPECT_EQ(cache("q4_0"), (512ull << 20) / 32 * 9);
}

TEST(Vkplan, PlansTheSampleModelFromItsFile) {
	const Json answer = json({kModel, "--vram", "1"});
	EXPECT_EQ(answer["model"]["parameters"], 5770496);
	EXPECT_EQ(answer["recommended"], "F16");
	EXPECT_TRUE(answer["candidates"][0]["plan"]["fits"]);
}

TEST(Vkplan, ExplainsTheArithmetic) {
	const ToolResult result = runTool("vkplan", {"--vram", "8", "--params", "7", "--explain"});
	EXPECT_NE(result.out.find("32 layers x 4,096 cells x 8 heads x (256 + 256 bytes of 128 elements) = 512.00 MiB"), std::string::npos);
}

TEST(Vkplan, KnowsCards) {
	const Json answer = json({"--gpu", "rtx 4060", "--params", "8"});
	EXPECT_TRUE(answer["candidates"][1]["tokens_per_second"].is_null() || answer["candidates"][1]["plan"]["fits"]);
	EXPECT_TRUE(answer["candidates"].back()["tokens_per_second"]["empty_context"].get<double>() > 20);
	EXPECT_EQ(answer["candidates"][0]["plan"]["heaps"][0]["name"], "GeForce RTX 4060");
}

struct BadCall {
	std::vector<std::string> arguments;
	const char* says;
};

TEST(Vkplan, RefusesBadInputWithASentenceAndExitCode2) {
	const BadCall calls[] = {
		{{"--vram", "8"}, "nothing to plan"},
		{{"--params", "7", "--vram", "8", "--device", "0"}, "give one of them"},
		{{"--params", "7", "--vram", "8,8", "--runtime", "llama.cpp", "--tensor-split", "1,x"}, "no list of proportions"},
		{{"--params", "7", "--vram", "8,8", "--runtime", "llama.cpp", "--tensor-split", "-1,2"}, "no list of proportions"},
		{{"--params", "7", "--vram", "8,8", "--runtime", "llama.cpp", "--tensor-split", "1"}, "1 proportions"},
		{{"--params", "7", "--vram", "8,8", "--runtime", "llama.cpp", "--tensor-split", "0,0"}, "none above 0"},
		{{"--params", "7", "--vram", "8,8", "--tensor-split", "1,1"}, "belongs to --runtime llama.cpp"},
		{{"--params", "7", "--vram", "8", "--runtime", "other"}, "--runtime"},
		{{"--params", "7", "--vram=-8"}, "not a size"},
		{{"--params", "7", "--vram", "nan"}, "not a size"},
		{{"--params", "7", "--vram", "inf"}, "not a size"},
		{{"--params", "7", "--vram", "0"}, "no memory to plan for"},
		{{"--params", "7", "--vram", "8,"}, "not a size"},
		{{"--params", "7", "--vram", "99999999"}, "more than any device has"},
		{{"--params", "nan", "--vram", "8"}, "no model size"},
		{{"--params=-7", "--vram", "8"}, "outside 0.05 to 1000"},
		{{"--params", "0", "--vram", "8"}, "outside 0.05 to 1000"},
		{{"--params", "9x9", "--vram", "8"}, "no mixture of experts of size"},
		{{"--params", "7", "--gpu", "Voodoo 2"}, "no card that is known"},
		{{"--params", "7", "--gpu", "RTX 4070 Ti,RTX 4090", "--vram", "8"}, "names 2 cards and --vram 1 sizes"},
		{{"--params", "7", "--vram", "8", "--ctx", "1000000"}, "beyond the 32,768"},
		{{kModel, "--vram", "8", "--ctx", "512"}, "beyond the 256"},
		{{"--params", "7", "--vram", "8", "--ctx", "-5"}, "--ctx"},
		{{"--params", "7", "--vram", "8", "--kv", "q9"}, "is no type"},
		{{"--params", "7", "--vram", "8", "--kv", "q4_k"}, "no type for the key cache"},
		{{"--params", "7", "--vram", "8", "--types", "Q4_K_M,Q9"}, "is no file type"},
		{{"--params", "7", "--vram", "8", "--goal", "beauty"}, "goal"},
		{{"--params", "7", "--vram", "8", "--overhead=-20%"}, "is no share"},
		{{"--params", "7", "--vram", "8", "--shape", "heads=3"}, "cannot share"},
		{{"--params", "7", "--vram", "8", "--shape", "layers=0"}, "outside 1 to"},
		{{"--params", "7", "--vram", "8", "--batch", "0"}, "--batch"},
		{{"--vram", "8", "--params", "7", kModel}, "has its own shape"},
		{{"--vram", "8", "--params", "7", "--reserve", "much"}, "--reserve"},
		{{"--vram", "24,8", "--params", "7", "--reserve", "8"}, "leaves nothing of GPU 1, which has 8.00 GiB"},
		{{"--vram", "8", "--shape", "layers=32,embd=4096"}, "it must say ff, heads, vocab, ctx too"},
		{{"--vram", "8", "--params", "7", "--types", "Q5"}, "is no file type"},
		{{"--nonsense"}, "nonsense"},
	};
	for (const BadCall& call : calls) {
		const ToolResult result = runTool("vkplan", call.arguments);
		EXPECT_EQ(result.code, 2) << testing::PrintToString(call.arguments) << result.err;
		EXPECT_NE(result.firstError().find(call.says), std::string::npos) << testing::PrintToString(call.arguments) << result.err;
		EXPECT_TRUE(result.out.empty()) << result.out;
	}
}

TEST(Vkplan, LoadsNoVulkanWhenMemoryIsNamed) {
	const ToolResult result = runTool("vkplan", {"--vram", "8", "--params", "7"}, {.environment = {{"LD_DEBUG", "libs"}}});
	EXPECT_EQ(result.code, 0);
	EXPECT_NE(result.err.find("libc.so"), std::string::npos) << "the loader's trace is there";
	EXPECT_EQ(result.err.find("libvulkan"), std::string::npos);
}

TEST(Vkplan, PlansAHuggingFaceFolder) {
	const Json answer = json({std::string(VKQ_SOURCE_DIR) + "/models/orator-6m", "--vram", "1"});
	EXPECT_EQ(answer["model"]["parameters"], 5770496);
	EXPECT_EQ(answer["recommended"], "F16");
}

TEST(Vkplan, PlansAConfigurationWithoutWeightsLikeTheWholeModel) {
	for (const auto& entry : std::filesystem::directory_iterator(VKQ_SOURCE_DIR "/tests/data/tiny-random")) {
		SCOPED_TRACE(entry.path().string());
		const TempFolder folder;
		std::filesystem::copy_file(entry.path() / "config.json", folder / "config.json");
		const Json whole = json({entry.path().string(), "--vram", "1", "--types", "Q8_0"});
		const Json alone = json({(folder / "config.json").string(), "--vram", "1", "--types", "Q8_0"});
		const Json in_folder = json({folder.path().string(), "--vram", "1", "--types", "Q8_0"});
		ASSERT_TRUE(whole.contains("candidates") && alone.contains("candidates"));
		EXPECT_EQ(alone["candidates"][0]["plan"]["heaps"], whole["candidates"][0]["plan"]["heaps"]);
		EXPECT_EQ(alone["candidates"], in_folder["candidates"]);
	}
}

TEST(Vkplan, ComparesOneDeviceWithAll) {
	const Json answer = json({"--gpu", "RTX 3090,RTX 3060", "--params", "32", "--types", "Q8_0"});
	ASSERT_EQ(answer["alternatives"].size(), 3u);
	EXPECT_FALSE(answer["alternatives"][0]["fits"]);
	EXPECT_GT(answer["alternatives"][0]["missing_bytes"].get<uint64_t>(), 0u);
	EXPECT_TRUE(answer["alternatives"][2]["fits"]);
	EXPECT_GT(answer["alternatives"][2]["tokens_per_second"].get<double>(), 5);
}

TEST(Vkplan, ShowsQualityThatWasMeasured) {
	const TempFolder folder;
	std::ofstream(folder / "kld.json") << R"({"perplexity_ratio": 1.0375, "mean_kld": 0.02})";
	std::ofstream(folder / "other.json") << R"({"seconds": 3})";
	const ToolResult result = runTool("vkplan", {"--vram", "8", "--params", "7", "--measured", "Q4_K_M=kld.json"}, {.folder = folder.path()});
	EXPECT_NE(result.out.find("+3.75 %*"), std::string::npos) << result.out;
	EXPECT_EQ(runTool("vkplan", {"--vram", "8", "--params", "7", "--measured", "Q4_K_M=other.json"}, {.folder = folder.path()}).code, 1);
	EXPECT_EQ(runTool("vkplan", {"--vram", "8", "--params", "7", "--measured", "kld.json"}, {.folder = folder.path()}).code, 2);
}

/// Names of all fields, wherever they are.
void collectKeys(const Json& json, std::set<std::string>& keys) {
	if (json.is_object()) for (const auto& [key, value] : json.items()) keys.insert(key);
	for (const Json& value : json) if (value.is_structured()) collectKeys(value, keys);
}

TEST(Vkplan, PrintsTheJsonThatIsDocumented) {
	std::ifstream page(VKQ_SOURCE_DIR "/docs/vkplan.md");
	const std::string text((std::istreambuf_iterator<char>(page)), {});
	const std::string documented = text.substr(text.find("## JSON"));
	const std::vector<std::vector<std::string>> calls{
		{"--gpu", "RTX 4060", "--params", "7"}, {"--vram", "2", "--params", "7"}, {"--gpu", "RTX 3090,RTX 3060", "--params", "32"},
		{"--vram", "6", "--params", "7", "--offload"}, {"--vram", "8", "--params", "7", "--overhead", "20%"}, {"--vram", "2", "--params", "7", "--overhead", "20%"},
		{"--vram", "24,12", "--params", "70", "--runtime", "llama.cpp"}};
	for (const auto& call : calls) {
		std::set<std::string> keys;
		collectKeys(json(call), keys);
		EXPECT_GT(keys.size(), 5u);
		for (const std::string& key : keys) EXPECT_NE(documented.find(key), std::string::npos) << key << " of " << testing::PrintToString(call) << " is not in docs/vkplan.md";
	}
	// What others read: these are there in every answer, with these types.
	const Json answer = json({"--gpu", "RTX 4060", "--params", "7"});
	for (const char* number : {"context", "batch", "reserve_bytes", "recommended_index"}) EXPECT_TRUE(answer[number].is_number_unsigned()) << number;
	for (const char* sentence : {"recommended", "why", "loss_source"}) EXPECT_TRUE(answer[sentence].is_string()) << sentence;
	for (const Json& candidate : answer["candidates"]) {
		for (const char* number : {"file_bytes", "total_bytes", "max_context"}) EXPECT_TRUE(candidate[number].is_number_unsigned()) << number;
		for (const char* number : {"weight_bytes", "offloaded_weight_bytes", "k_cache_bytes", "v_cache_bytes", "scratch_bytes", "staging_bytes", "mapped_bytes", "device_bytes", "host_bytes"}) {
			EXPECT_TRUE(candidate["plan"][number].is_number_unsigned()) << number;
		}
		uint64_t heaps = 0;
		for (const Json& heap : candidate["plan"]["heaps"]) {
			heaps += heap["planned_bytes"].get<uint64_t>();
			EXPECT_EQ(heap["planned_bytes"], heap["weight_bytes"].get<uint64_t>() + heap["cache_bytes"].get<uint64_t>() + heap["scratch_bytes"].get<uint64_t>() +
			                                     heap["staging_bytes"].get<uint64_t>() + heap["alignment_bytes"].get<uint64_t>());
		}
		EXPECT_EQ(candidate["total_bytes"], heaps) << "the parts are the whole";
	}
}

TEST(Vkplan, ListsTheCardsThatItKnows) {
	const ToolResult result = runTool("vkplan", {"--list-gpus"});
	EXPECT_EQ(result.code, 0);
	EXPECT_NE(result.out.find("GeForce RTX 4060 "), std::string::npos) << result.out;
	EXPECT_NE(result.out.find("shared"), std::string::npos) << "those without memory of their own";
}

TEST(Vkplan, SaysWhichFileIsMissing) {
	const ToolResult result = runTool("vkplan", {"--vram", "8", "no-such-file.gguf"});
	EXPECT_EQ(result.code, 1);
	EXPECT_NE(result.err.find("no-such-file.gguf"), std::string::npos);
}

}  // namespace
