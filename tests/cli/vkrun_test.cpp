// vkrun as a user meets it.
#include "tests/cli/run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::string kModel = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";

ToolResult vkrun(std::vector<std::string> arguments, const ToolOptions& options = {}) { return runTool("vkrun", arguments, options); }

nlohmann::json jsonOf(std::vector<std::string> arguments, const ToolOptions& options = {}) {
	arguments.push_back("--json");
	const ToolResult result = vkrun(arguments, options);
	EXPECT_EQ(result.code, 0) << result.err;
	return result.code == 0 ? nlohmann::json::parse(result.out) : nlohmann::json();
}

void write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace

TEST(Vkrun, ContinuesAPromptGreedily) {
	const ToolResult result = vkrun({kModel, "-p", "It was", "-n", "5", "--temp", "0"});
	EXPECT_EQ(result.code, 0) << result.err;
	EXPECT_EQ(result.out, "It was the first to be able\n");
	EXPECT_NE(result.err.find("generation 4 tokens"), std::string::npos) << result.err;
}

TEST(Vkrun, QuietPrintsNothingButTheAnswer) {
	const ToolResult result = vkrun({kModel, "-p", "It was", "-n", "5", "--temp", "0", "-q"});
	EXPECT_EQ(result.out, " the first to be able\n");
	EXPECT_EQ(result.err, "");
}

TEST(Vkrun, ReadsPromptsFromFilesAndStandardInput) {
	const TempFolder folder;
	write(folder / "prompt.txt", "It was");
	const auto from_file = jsonOf({kModel, "-f", (folder / "prompt.txt").string(), "-n", "3", "--temp", "0"});
	const auto from_input = jsonOf({kModel, "-n", "3", "--temp", "0"}, {.input = (folder / "prompt.txt").string()});
	EXPECT_EQ(from_file["text"], " the first to");
	EXPECT_EQ(from_input["text"], from_file["text"]);
	EXPECT_EQ(from_file["stop_reason"], "length");
	EXPECT_EQ(from_file["times"]["prompt_tokens"], 4);
}

TEST(Vkrun, ASeedFixesTheText) {
	const std::vector<std::string> arguments{kModel, "-p", "The war", "-n", "16", "--seed", "5", "--temp", "1"};
	EXPECT_EQ(jsonOf(arguments)["text"], jsonOf(arguments)["text"]);
}

TEST(Vkrun, TakesSettingsFromAModelfile) {
	const TempFolder folder;
	std::filesystem::copy_file(kModel, folder / "model.gguf");
	write(folder / "Modelfile", "FROM ./model.gguf\nPARAMETER temperature 0\nPARAMETER num_predict 4\nPARAMETER num_ctx 96\nPARAMETER stop first\n");
	const auto json = jsonOf({"--modelfile", (folder / "Modelfile").string(), "-p", "It was"});
	EXPECT_EQ(json["context"], 96);
	EXPECT_EQ(json["text"], " the ");
	EXPECT_EQ(json["stop_reason"], "stop_text");
	EXPECT_EQ(jsonOf({"--modelfile", (folder / "Modelfile").string(), "-p", "It was", "--ctx", "64"})["context"], 64) << "the command line wins";
	write(folder / "Modelfile", "FROM ./model.gguf\nPARAMETER temperature warm\n");
	EXPECT_EQ(vkrun({"--modelfile", (folder / "Modelfile").string(), "-p", "x"}).code, 2);
}

TEST(Vkrun, AsksInTheFormOfATemplate) {
	const auto json = jsonOf({kModel, "-p", "Who are you?", "--chat-format", "chatml", "--system", "Be brief.", "-n", "4", "--temp", "0"});
	EXPECT_EQ(json["tokens"].size(), 4u);
	EXPECT_GT(json["times"]["prompt_tokens"], 10);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--chat-format", "telegram"}).code, 2);
}

TEST(Vkrun, SavesAndLoadsACache) {
	const TempFolder folder;
	const std::string cache = (folder / "cache.gguf").string();
	const auto first = jsonOf({kModel, "-p", "It was a bright", "-n", "4", "--temp", "0", "--save-cache", cache});
	EXPECT_TRUE(std::filesystem::exists(cache));
	const auto second = jsonOf({kModel, "-p", " morning", "-n", "2", "--temp", "0", "--load-cache", cache});
	EXPECT_LT(second["times"]["prompt_tokens"], 4) << "only the new text is computed";
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--load-cache", kModel}).code, 1);
}

TEST(Vkrun, SplitsLayersOverDevices) {
	const auto one = jsonOf({kModel, "-p", "It was", "-n", "8", "--temp", "0"});
	const auto two = jsonOf({kModel, "-p", "It was", "-n", "8", "--temp", "0", "--device", "0,0", "--device-memory", "9MiB,9MiB"});
	EXPECT_EQ(one["text"], two["text"]);
	EXPECT_NE(std::string(two["device"]).find("#1"), std::string::npos) << two["device"];
}

TEST(Vkrun, RefusesWhatDoesNotFitWithNumbers) {
	const ToolResult result = vkrun({kModel, "-p", "x"}, {.environment = {{"VKQ_HEAP_LIMIT", "4000000"}}});
	EXPECT_EQ(result.code, 3) << result.err;
	EXPECT_NE(result.err.find("MiB"), std::string::npos) << result.err;
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--device-memory", "5MiB"}).code, 3);
}

TEST(Vkrun, RunsInExactlyThePlannedBytesAndNotInOneGranuleLess) {
	const auto plan = jsonOf({kModel, "-c", "256", "--plan"});
	uint64_t most = 0, heaps = 0;
	for (const auto& heap : plan["heaps"]) {
		most = std::max(most, heap["planned_bytes"].get<uint64_t>());
		heaps += heap["planned_bytes"] > 0;
	}
	if (heaps != 1) GTEST_SKIP() << "the limit holds for every heap alike: one that is all of the plan is wanted";
	const std::vector<std::string> run{kModel, "-c", "256", "-p", "It was", "-n", "2"};
	const ToolResult fits = vkrun(run, {.environment = {{"VKQ_HEAP_LIMIT", std::to_string(most)}}});
	EXPECT_EQ(fits.code, 0) << fits.err;
	// Nothing is allocated first: the allocation that would fail is never made.
	const ToolResult refused = vkrun(run, {.environment = {{"VKQ_HEAP_LIMIT", std::to_string(most - 65536)}, {"VKQ_FAULT", "out_of_memory@1"}}});
	EXPECT_EQ(refused.code, 3) << refused.err;
	EXPECT_NE(refused.err.find("are missing"), std::string::npos) << refused.err;
}

TEST(Vkrun, ReadsFromTheHostWhatItsPlanLeavesThere) {
	const ToolOptions discrete{.environment = {{"VKQ_DISCRETE", "1"}}};
	std::vector<std::string> run{kModel, "-c", "256", "-p", "It was", "-n", "8", "--temp", "0"};
	const auto all = jsonOf(run);
	for (const char* more : {"--offload", "--device-memory", "12MiB"}) run.push_back(more);
	const auto part = jsonOf(run, discrete);
	EXPECT_EQ(all["text"], part["text"]);
	run.push_back("--plan");
	const auto plan = jsonOf(run, discrete);
	EXPECT_GT(plan["offloaded_weight_bytes"], 0);
	EXPECT_GT(plan["weight_bytes"], 0);
	EXPECT_LE(plan["device_bytes"], 12 << 20);
}

TEST(Vkrun, SurvivesWhatDevicesDo) {
	const ToolResult memory = vkrun({kModel, "-p", "x"}, {.environment = {{"VKQ_FAULT", "out_of_memory@1"}}});
	EXPECT_EQ(memory.code, 1);
	EXPECT_NE(memory.firstError().find("memory"), std::string::npos) << memory.err;
	const ToolResult lost = vkrun({kModel, "-p", "It was", "-n", "20"}, {.environment = {{"VKQ_FAULT", "device_lost@4"}}});
	EXPECT_EQ(lost.code, 1);
	EXPECT_NE(lost.err.find("lost"), std::string::npos) << lost.err;
}

TEST(Vkrun, SaysWhatIsWrongWithAPrompt) {
	const TempFolder folder;
	write(folder / "broken.txt", "ab\xff" "c");
	const ToolResult broken = vkrun({kModel, "-f", (folder / "broken.txt").string()});
	EXPECT_EQ(broken.code, 1);
	EXPECT_NE(broken.firstError().find("byte 2"), std::string::npos) << broken.err;
	const ToolResult empty = vkrun({kModel, "-p", ""});
	EXPECT_EQ(empty.code, 2);
	EXPECT_NE(empty.firstError().find("empty"), std::string::npos) << empty.err;
	EXPECT_EQ(vkrun({kModel}).code, 2) << "standard input is empty";
	const ToolResult long_prompt = vkrun({kModel, "-p", "one two three four five six seven eight nine ten", "--ctx", "4"});
	EXPECT_EQ(long_prompt.code, 2);
	EXPECT_NE(long_prompt.firstError().find("context"), std::string::npos) << long_prompt.err;
}

TEST(Vkrun, SaysWhenTheContextIsFull) {
	const ToolResult full = vkrun({kModel, "-p", "It was", "-n", "8", "--ctx", "6", "--temp", "0"});
	EXPECT_EQ(full.code, 0);
	EXPECT_NE(full.firstError().find("the context of 6 tokens is full"), std::string::npos) << full.err;
}

TEST(Vkrun, SaysWhatIsWrongWithOptions) {
	EXPECT_EQ(vkrun({}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--kv", "q4_k"}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--kv", "banana"}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--temp", "-1"}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--ctx", "0"}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--variant", "abacus"}).code, 2);
	EXPECT_EQ(vkrun({kModel, "-p", "x", "--device", "no such device"}).code, 1);
	EXPECT_EQ(vkrun({"no-such-model.gguf", "-p", "x"}).code, 1);
	EXPECT_EQ(vkrun({"--help"}).code, 0);
}

TEST(Vkrun, PlansWithoutRunning) {
	const ToolResult text = vkrun({kModel, "--plan"});
	EXPECT_EQ(text.code, 0) << text.err;
	EXPECT_NE(text.out.find("weights"), std::string::npos);
	EXPECT_TRUE(nlohmann::json::parse(vkrun({kModel, "--plan", "--json"}).out).is_object());
}
