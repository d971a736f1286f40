// Types chosen under a budget, and recipes, as a user meets them.
#include "run_tool.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace vkq::test;
using nlohmann::json;

namespace {

const std::string kSample = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";
const std::string kText = std::string(VKQ_SOURCE_DIR) + "/tests/data/corpus/valid-small.txt";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

std::string textOf(const std::filesystem::path& path) {
	const auto bytes = readFile(path);
	return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST(VkquantFit, LandsJustBelowTheSizeOfTheFile) {
	TempFolder folder;
	for (const uint64_t size : {2400000u, 3003744u, 3575136u, 4112224u}) {
		const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "--target-size", std::to_string(size) + "B", "--force", "--json"});
		ASSERT_EQ(result.code, 0) << result.err;
		const uint64_t bytes = readFile(folder / "out.gguf").size();
		EXPECT_LE(bytes, size);
		EXPECT_GE(double(bytes), 0.995 * double(size));
		const json level = json::parse(result.out)["levels"][0];
		EXPECT_EQ(level["file_bytes"], bytes);
		EXPECT_EQ(level["mix"]["used_bytes"], bytes);
		EXPECT_EQ(level["mix"]["bound"], level["mix"]["cost"]);
	}
}

TEST(VkquantFit, LandsJustBelowTheBitsAWeight) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, "--target-bpw", "4.5", "--dry-run", "--json"}, {.folder = folder.path()});
	ASSERT_EQ(result.code, 0) << result.err;
	const double bits = json::parse(result.out)["levels"][0]["bits_per_weight"];
	EXPECT_LE(bits, 4.5);
	EXPECT_GE(bits, 4.5 * 0.995);
	EXPECT_TRUE(folder.listing().empty());
}

TEST(VkquantFit, GivesTheSameBytesEveryTime) {
	TempFolder folder;
	const auto make = [&](const std::string& name, const std::vector<std::string>& more) {
		std::vector<std::string> arguments{kSample, folder / name, "--target-bpw", "4", "--quiet"};
		arguments.insert(arguments.end(), more.begin(), more.end());
		const ToolResult result = runTool("vkquant", arguments);
		EXPECT_EQ(result.code, 0) << result.err;
		return readFile(folder / name);
	};
	const auto first = make("a.gguf", {});
	EXPECT_TRUE(first == make("b.gguf", {"--threads", "1"}));
	EXPECT_TRUE(first == make("c.gguf", {"--route", "host"}));
}

TEST(VkquantFit, MeasuresOnACalibrationText) {
	TempFolder folder;
	// Only the output is open: one probe, two chunks.
	const std::vector<std::string> pins{"--tensor-type", "^(blk|token_embd)=q4_k", "--calibration", kText, "--calibration-chunks", "2", "--target-bpw", "4.7", "--dry-run", "--json"};
	std::vector<std::string> arguments{kSample};
	arguments.insert(arguments.end(), pins.begin(), pins.end());
	const ToolResult result = runTool("vkquant", arguments), again = runTool("vkquant", arguments);
	ASSERT_EQ(result.code, 0) << result.err;
	EXPECT_EQ(result.out, again.out);
	const json mix = json::parse(result.out)["levels"][0]["mix"];
	EXPECT_EQ(mix["measured"], true);
	EXPECT_EQ(mix["tensors"].size(), 1u);
	EXPECT_GT(mix["tensors"][0]["sensitivity"], 0.05);   // a relative error of 1 % moves the answers by more than .0005 nats
	EXPECT_LT(mix["tensors"][0]["sensitivity"], 10.0);
}

TEST(VkquantFit, FitsTheCardByTheRuntimesOwnAccount) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder / "fit.gguf", "--fit", "8MiB", "--ctx", "256", "--kv", "q8_0", "--json"});
	ASSERT_EQ(result.code, 0) << result.err;
	const json level = json::parse(result.out)["levels"][0], mix = level["mix"];
	EXPECT_LE(mix["used_bytes"], mix["allowed_bytes"]);
	for (const json& tensor : level["tensors"])
		if (tensor["name"] == "token_embd.weight") {
			EXPECT_EQ(tensor["to"], "Q8_0") << "the host reads it: more bits gain nothing, fewer save nothing of the card";
		}
	const ToolResult plan = runTool("vkplan", {folder / "fit.gguf", "--vram", "8MiB", "--ctx", "256", "--kv", "q8_0"});
	EXPECT_EQ(plan.code, 0) << plan.out << plan.err;
	const ToolResult run = runTool("vkrun", {folder / "fit.gguf", "--ctx", "256", "--kv", "q8_0", "-p", "The", "-n", "2"}, {.environment = {{"VKQ_HEAP_LIMIT", "8MiB"}}});
	EXPECT_EQ(run.code, 0) << run.err;
}

TEST(VkquantFit, SaysWhatIsTheSmallestThatIsPossible) {
	TempFolder folder;
	const ToolResult size = runTool("vkquant", {kSample, folder / "a.gguf", "--target-size", "1MiB"});
	EXPECT_EQ(size.code, 3);
	EXPECT_TRUE(contains(size.firstError(), "cannot be made as small as 1.00 MiB: with every tensor in its smallest type it has 1.88 MiB (1,970,080 bytes)")) << size.err;
	EXPECT_TRUE(contains(size.err, "--prune-layers"));
	const ToolResult bits = runTool("vkquant", {kSample, folder / "b.gguf", "--target-bpw", "2"});
	EXPECT_EQ(bits.code, 3);
	EXPECT_TRUE(contains(bits.firstError(), "bits a weight")) << bits.err;
	const ToolResult card = runTool("vkquant", {kSample, folder / "c.gguf", "--fit", "2MiB", "--ctx", "256"});
	EXPECT_EQ(card.code, 3);
	EXPECT_TRUE(contains(card.firstError(), "does not fit even with every tensor in its smallest type")) << card.err;
	EXPECT_TRUE(folder.listing().empty());
}

TEST(VkquantFit, TheSmallestThatItNamesIsPossible) {
	const ToolResult refused = runTool("vkquant", {kSample, "--target-size", "1000B", "--dry-run"});
	ASSERT_EQ(refused.code, 3);
	const size_t open = refused.err.find('('), close = refused.err.find(" bytes)");
	ASSERT_NE(close, std::string::npos);
	std::string bytes = refused.err.substr(open + 1, close - open - 1);
	std::erase(bytes, ',');
	EXPECT_EQ(runTool("vkquant", {kSample, "--target-size", bytes + "B", "--dry-run"}).code, 0);
	EXPECT_EQ(runTool("vkquant", {kSample, "--target-size", std::to_string(std::stoull(bytes) - 1) + "B", "--dry-run"}).code, 3);
}

TEST(VkquantFit, KeepsTypesThatTheUserNames) {
	const ToolResult result = runTool("vkquant", {kSample, "--target-bpw", "4", "--tensor-type", "attn_v=q8_0", "--output-tensor-type", "q5_k", "--dry-run", "--json"});
	ASSERT_EQ(result.code, 0) << result.err;
	for (const json& tensor : json::parse(result.out)["levels"][0]["tensors"]) {
		const std::string name = tensor["name"];
		if (contains(name, "attn_v.weight")) {
			EXPECT_EQ(tensor["to"], "Q8_0");
		} else if (name == "output.weight") {
			EXPECT_EQ(tensor["to"], "Q5_K");
		}
	}
}

TEST(VkquantFit, NotesInTheFileHowTypesWereChosen) {
	TempFolder folder;
	ASSERT_EQ(runTool("vkquant", {kSample, folder / "out.gguf", "--target-size", "3575136B", "--quiet"}).code, 0);
	const ToolResult info = runTool("vkinfo", {folder / "out.gguf", "--json"});
	EXPECT_TRUE(contains(info.out, "target-size 3575136B, sensitivity from priors")) << info.out.substr(0, 2000);
}

TEST(VkquantRecipe, MakesTheSameTensorsAgain) {
	TempFolder folder;
	const ToolResult chosen = runTool("vkquant", {kSample, folder / "chosen.gguf", "--target-bpw", "4.25", "--recipe-out", folder / "mix.txt", "--json"});
	ASSERT_EQ(chosen.code, 0) << chosen.err;
	for (const std::vector<std::string>& how : {std::vector<std::string>{"--recipe", folder / "mix.txt"}, {"--recipe-from", folder / "chosen.gguf"}}) {
		std::vector<std::string> arguments{kSample, folder / "again.gguf", "--force", "--json"};
		arguments.insert(arguments.end(), how.begin(), how.end());
		const ToolResult again = runTool("vkquant", arguments);
		ASSERT_EQ(again.code, 0) << again.err;
		const json a = json::parse(chosen.out)["levels"][0], b = json::parse(again.out)["levels"][0];
		EXPECT_EQ(a["tensors"], b["tensors"]);
		EXPECT_EQ(a["file_type"], b["file_type"]);
	}
	// With a TYPE the level is that type's with the recipe's tensors: as --tensor-type-file.
	ASSERT_EQ(runTool("vkquant", {kSample, folder / "typed.gguf", "Q4_K_M", "--recipe", folder / "mix.txt", "--quiet"}).code, 0);
	ASSERT_EQ(runTool("vkquant", {kSample, folder / "overridden.gguf", "Q4_K_M", "--tensor-type-file", folder / "mix.txt", "--quiet"}).code, 0);
	EXPECT_TRUE(readFile(folder / "typed.gguf") == readFile(folder / "overridden.gguf"));
}

TEST(VkquantRecipe, IsWrittenForFixedTypesToo) {
	TempFolder folder;
	ASSERT_EQ(runTool("vkquant", {kSample, "Q4_K_M", "--dry-run", "--recipe-out", folder / "q4_k_m.txt", "--quiet"}).code, 0);
	EXPECT_TRUE(contains(textOf(folder / "q4_k_m.txt"), "^output\\.weight$=q6_k\n"));
	EXPECT_EQ(runTool("vkquant", {kSample, "Q4_K_M", "--dry-run", "--recipe-out", folder / "q4_k_m.txt", "--quiet"}).code, 1);   // it is there already
}

TEST(VkquantRecipe, ALineForEveryTensorIsNeededWithoutAType) {
	TempFolder folder;
	writeFile(folder / "part.txt", std::as_bytes(std::span(std::string_view("attn_v=q6_k\n"))));
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "--recipe", folder / "part.txt"});
	EXPECT_EQ(result.code, 2);
	EXPECT_TRUE(contains(result.firstError(), "says nothing of 'output.weight'")) << result.err;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M", "--recipe", folder / "part.txt", "--quiet"}).code, 0);
}

TEST(VkquantFit, ExplainsContradictions) {
	for (const std::vector<std::string>& options :
	     {std::vector<std::string>{"Q4_K_M", "--target-bpw", "4"}, {"--target-bpw", "4", "--target-size", "3MiB"}, {"--target-bpw", "none"}, {"--target-bpw", "-1"}, {"--target-size", "much"},
	      {"--fit", "8GiB", "--kv", "q9"}, {"--ctx", "512", "--target-bpw", "4"}, {"Q4_K_M", "--calibration", "text.txt"}, {"--target-bpw", "4", "--pure"},
	      {"--target-bpw", "4", "--recipe", "mix.txt"}, {"--target-size", "3MiB", "--split-max-size", "1MiB"}, {"Q4_K_M", "Q8_0", "--recipe-out", "mix.txt"}, {"--recipe-out", "mix.txt"}}) {
		std::vector<std::string> arguments{kSample};
		arguments.insert(arguments.end(), options.begin(), options.end());
		const ToolResult result = runTool("vkquant", arguments);
		EXPECT_EQ(result.code, 2) << options[0] << " " << options.back() << ": " << result.err;
		EXPECT_TRUE(result.err.starts_with("vkquant: ")) << result.err;
	}
}
