// vkeval as a user meets it.
#include "tests/cli/run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::string kModel = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";
const std::string kTiny = std::string(VKQ_SOURCE_DIR) + "/tests/data/tiny-random/phi3";
const std::string kText = std::string(VKQ_SOURCE_DIR) + "/tests/data/corpus/valid-small.txt";

nlohmann::json jsonOf(std::vector<std::string> arguments) {
	arguments.push_back("--json");
	const ToolResult result = runTool("vkeval", arguments);
	EXPECT_EQ(result.code, 0) << result.err;
	return result.code == 0 ? nlohmann::json::parse(result.out) : nlohmann::json();
}

std::string contents(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

}  // namespace

TEST(Vkeval, SavesLogitsAndFindsNoDivergenceFromItself) {
	const TempFolder folder;
	const std::string base = (folder / "base.bin").string();
	const auto perplexity = jsonOf({"ppl", kModel, "-f", kText, "-c", "64", "--chunks", "4", "--save-logits", base});
	EXPECT_EQ(perplexity["positions"], 124);
	EXPECT_GT(perplexity["tokens_per_second"], 0);
	const auto divergence = jsonOf({"kld", kModel, "--base", base});
	EXPECT_EQ(divergence["positions"], 124);
	EXPECT_LT(divergence["mean_kld"], 1e-4);
	EXPECT_NEAR(double(divergence["perplexity"]) / double(perplexity["perplexity"]), 1, 1e-4);
	const ToolResult again = runTool("vkeval", {"ppl", kModel, "-f", kText, "-c", "64", "--chunks", "4", "--save-logits", base});
	EXPECT_EQ(again.code, 1);
	EXPECT_NE(again.err.find("exists"), std::string::npos) << again.err;
}

TEST(Vkeval, RefusesATextThatIsTooShort) {
	const TempFolder folder;
	write(folder / "short.txt", "My friends, let us begin.");
	const ToolResult result = runTool("vkeval", {"ppl", kModel, "-f", (folder / "short.txt").string(), "-c", "256"});
	EXPECT_EQ(result.code, 1);
	EXPECT_NE(result.firstError().find("short.txt"), std::string::npos) << result.err;
	EXPECT_NE(result.firstError().find("at least 512"), std::string::npos) << result.err;
	write(folder / "empty.txt", "");
	EXPECT_NE(runTool("vkeval", {"ppl", kModel, "-f", (folder / "empty.txt").string()}).firstError().find("is empty"), std::string::npos);
}

TEST(Vkeval, NamesTheModelAndThePlaceOfLogitsThatAreNotFinite) {
	const TempFolder folder;
	std::string model = contents(kModel);
	model.replace(model.size() - 2, 2, std::string("\x00\x7e", 2));   // the last weight, in half precision: not a number
	const std::string damaged = (folder / "damaged.gguf").string(), output = (folder / "out").string();
	write(damaged, model);
	const ToolResult result = runTool("vkeval", {"ppl", damaged, "-f", kText, "-c", "64", "--chunks", "1", "--save-logits", output});
	EXPECT_EQ(result.code, 1);
	EXPECT_NE(result.firstError().find("damaged.gguf"), std::string::npos) << result.err;
	EXPECT_NE(result.firstError().find("not finite after token 33 of chunk 1"), std::string::npos) << result.err;
	EXPECT_FALSE(std::filesystem::exists(output));
	// No tensor's input sees the head's weights; one in the middle of the layers reaches all that comes after it.
	model = contents(kModel);
	model.replace(model.size() / 4 * 2, 2, std::string("\x00\x7e", 2));
	write(damaged, model);
	const ToolResult matrix = runTool("vkeval", {"imatrix", damaged, "-f", kText, "-c", "64", "--chunks", "1", "-o", output});
	EXPECT_EQ(matrix.code, 1);
	EXPECT_NE(matrix.firstError().find("not finite"), std::string::npos) << matrix.err;
	EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(Vkeval, RefusesModelsWithOtherVocabularies) {
	const TempFolder folder;
	std::string model = contents(kModel);
	const std::string name = "<|end_of_text|>";
	model.replace(model.find(name), name.size(), "<|end_of_mind|>");   // the same size, another token
	const std::string other = (folder / "other.gguf").string();
	write(other, model);
	const ToolResult pair = runTool("vkeval", {"kld", other, "--original", kModel, "-f", kText, "-c", "64", "--chunks", "1"});
	EXPECT_EQ(pair.code, 1);
	EXPECT_NE(pair.firstError().find("token 1 is '<|end_of_mind|>' in the model and '<|end_of_text|>' in the original"), std::string::npos) << pair.err;
	const ToolResult levels = runTool("vkeval", {"compare", kModel, other, "-f", kText, "-c", "64", "--chunks", "1"});
	EXPECT_EQ(levels.code, 1);
	EXPECT_NE(levels.firstError().find("other.gguf"), std::string::npos) << levels.err;
	// A base file of another vocabulary: a header, four tokens, one position of seven.
	std::string base = "_logits_";
	for (const int32_t number : {4, 7, 1, 0, 1, 2, 3}) base.append(reinterpret_cast<const char*>(&number), 4);
	write(folder / "base.bin", base + std::string(2 * (4 + 8), '\0'));
	const ToolResult file = runTool("vkeval", {"kld", kModel, "--base", (folder / "base.bin").string()});
	EXPECT_EQ(file.code, 1);
	EXPECT_NE(file.firstError().find("has 2048 tokens"), std::string::npos) << file.err;
	EXPECT_NE(file.firstError().find("base.bin"), std::string::npos) << file.err;
}

TEST(Vkeval, RefusesTensorsOfModelsThatAreNotRelated) {
	const ToolResult result = runTool("vkeval", {"tensors", kModel, kTiny});
	EXPECT_EQ(result.code, 1);
	EXPECT_NE(result.firstError().find("is a 'llama' and"), std::string::npos) << result.err;
	EXPECT_EQ(result.out, "");
}

TEST(Vkeval, SaysWhichTensorsDoNotMatch) {
	const TempFolder folder;
	std::string model = contents(kModel);
	const std::string name = "blk.0.attn_k.weight";
	model.replace(model.find(name), name.size(), "blk.0.attn_x.weight");
	write(folder / "other.gguf", model);
	const ToolResult result = runTool("vkeval", {"tensors", kModel, (folder / "other.gguf").string()});
	EXPECT_EQ(result.code, 0) << result.err;
	for (const char* part : {"only in the original: blk.0.attn_k.weight", "only in the model: blk.0.attn_x.weight"}) EXPECT_NE(result.out.find(part), std::string::npos) << part;
}

TEST(Vkeval, RoundsInputsAsAsked) {
	const TempFolder folder;
	const std::string level = (folder / "q8.gguf").string();
	ASSERT_EQ(runTool("vkquant", {kModel, level, "Q8_0", "-q"}).code, 0);
	const auto kld = [&](const char* inputs) { return double(jsonOf({"kld", level, "--original", kModel, "-f", kText, "-c", "64", "--chunks", "2", "--inputs", inputs})["mean_kld"]); };
	EXPECT_LT(kld("float"), kld("reference"));   // rounded inputs add to what rounded weights cost
	EXPECT_EQ(runTool("vkeval", {"ppl", kModel, "-f", kText, "--inputs", "9bit"}).code, 2);
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
