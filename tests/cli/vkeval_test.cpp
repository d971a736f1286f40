// vkeval as a user meets it.
#include "tests/cli/run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::string kModel = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";
const std::string kText = std::string(VKQ_SOURCE_DIR) + "/tests/data/corpus/valid-small.txt";

nlohmann::json jsonOf(std::vector<std::string> arguments) {
	arguments.push_back("--json");
	const ToolResult result = runTool("vkeval", arguments);
	EXPECT_EQ(result.code, 0) << result.err;
	return result.code == 0 ? nlohmann::json::parse(result.out) : nlohmann::json();
}

void write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace

TEST(Vkeval, SavesLogitsAndFindsNoDivergenceFromItself) {
	const TempFolder folder;
	const std::string base = (folder / "base.bin").string();
	const auto perplexity = jsonOf({"ppl", kModel, "-f", kText, "-c", "256", "--chunks", "2", "--save-logits", base});
	EXPECT_EQ(perplexity["positions"], 254);
	EXPECT_GT(perplexity["tokens_per_second"], 0);
	const auto divergence = jsonOf({"kld", kModel, "--base", base});
	EXPECT_EQ(divergence["positions"], 254);
	EXPECT_LT(divergence["mean_kld"], 1e-4);
	EXPECT_NEAR(double(divergence["perplexity"]) / double(perplexity["perplexity"]), 1, 1e-4);
	const ToolResult again = runTool("vkeval", {"ppl", kModel, "-f", kText, "-c", "256", "--chunks", "2", "--save-logits", base});
	EXPECT_EQ(again.code, 1);
	EXPECT_NE(again.err.find("exists"), std::string::npos) << again.err;
}

TEST(Vkeval, RefusesATextThatIsTooShort) {
	const TempFolder folder;
	write(folder / "short.txt", "My friends, let us begin.");
	const ToolResult result = runTool("vkeval", {"ppl", kModel, "-f", (folder / "short.txt").string(), "-c", "256"});
	EXPECT_EQ(result.code, 1);
	EXPECT_NE(result.firstError().find("tokens"), std::string::npos) << result.err;
}

TEST(Vkeval, NamesWhatIsNotThere) {
	const ToolResult no_text = runTool("vkeval", {"ppl", kModel, "-f", "/nowhere/text.txt"});
	EXPECT_EQ(no_text.code, 1);
	EXPECT_NE(no_text.firstError().find("/nowhere/text.txt"), std::string::npos);
	const ToolResult no_model = runTool("vkeval", {"ppl", "/nowhere/model.gguf", "-f", kText});
	EXPECT_EQ(no_model.code, 1);
	EXPECT_NE(no_model.firstError().find("/nowhere/model.gguf"), std::string::npos);
}

TEST(Vkeval, WrongUsageIsSaidBeforeAnythingIsLoaded) {
	EXPECT_EQ(runTool("vkeval", {}).code, 2);
	EXPECT_EQ(runTool("vkeval", {"kld", kModel}).code, 2);
	EXPECT_EQ(runTool("vkeval", {"kld", kModel, "--original", kModel}).code, 2);
	EXPECT_EQ(runTool("vkeval", {"ppl", kModel, "-f", kText, "--kv", "q9_9"}).code, 2);
	EXPECT_EQ(runTool("vkeval", {"--help"}).code, 0);
}
