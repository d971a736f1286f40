#include "run_tool.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/mount.h>

using namespace vkq::test;
using nlohmann::json;

namespace {

const std::string kSample = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

void writeText(const std::filesystem::path& path, std::string_view text) { writeFile(path, std::as_bytes(std::span(text))); }

}  // namespace

TEST(Vkquant, WritesTheFileAndASummary) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M"});
	EXPECT_EQ(result.code, 0) << result.err;
	EXPECT_EQ(result.err, "");
	EXPECT_TRUE(contains(result.out, "Q4_K_M  11.07 MiB  3.41 MiB  30.8 %         4.87"));
	EXPECT_EQ(readFile(folder / "out.gguf").size(), 3575136u);
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"out.gguf"}));
}

TEST(Vkquant, NamesTheOutputAfterInputAndType) {
	TempFolder folder;
	std::filesystem::copy_file(kSample, folder / "tiny-f16.gguf");
	EXPECT_EQ(runTool("vkquant", {folder / "tiny-f16.gguf", "q8_0", "--quiet"}).code, 0);
	EXPECT_TRUE(std::filesystem::exists(folder / "tiny-Q8_0.gguf"));
}

TEST(Vkquant, MakesSeveralLevelsInOnePass) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder.path(), "Q4_0", "Q8_0", "--json"});
	EXPECT_EQ(result.code, 0) << result.err;
	const json summary = json::parse(result.out);
	EXPECT_EQ(summary["levels"].size(), 2u);
	EXPECT_EQ(summary["levels"][0]["file_bytes"], 3456864);
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"orator-6m-Q4_0.gguf", "orator-6m-Q8_0.gguf"}));
}

TEST(Vkquant, WritesAModelfileThatNamesTheOutput) {
	TempFolder folder;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "out.gguf", "Q8_0", "--modelfile", "--quiet"}).code, 0);
	const auto bytes = readFile(folder / "out.Modelfile");
	EXPECT_TRUE(contains({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "FROM ./out.gguf"));
	const ToolResult again = runTool("vkquant", {kSample, folder / "other.gguf", "Q8_0", "--modelfile", "--quiet"});
	EXPECT_EQ(again.code, 0);
	std::filesystem::remove(folder / "out.gguf");
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "out.gguf", "Q8_0", "--modelfile"}).code, 1);   // the Modelfile is somebody's
	EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
}

TEST(Vkquant, DryRunPrintsTheExactSizeAndWritesNothing) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q6_K", "--dry-run", "--json"});
	EXPECT_EQ(result.code, 0);
	EXPECT_EQ(json::parse(result.out)["levels"][0]["file_bytes"], 4808544);
	EXPECT_TRUE(folder.listing().empty());
}

TEST(Vkquant, VerifiesByDecodingAgain) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder.path(), "Q4_K_M", "--verify", "--json"});
	EXPECT_EQ(result.code, 0) << result.err;
	const json summary = json::parse(result.out);
	size_t verified = 0;
	for (const json& tensor : summary["levels"][0]["tensors"]) {
		if (!tensor.contains("relative_rmse")) continue;
		++verified;
		EXPECT_GT(tensor["relative_rmse"], 0.0);
		EXPECT_LT(tensor["relative_rmse"], 0.15);
		EXPECT_GT(tensor["cosine"], 0.98);
	}
	EXPECT_EQ(verified, 44u);
}

TEST(Vkquant, SaysWhichSearchEncodedTheFile) {
	TempFolder folder;
	const ToolResult reference = runTool("vkquant", {kSample, folder / "reference.gguf", "Q4_0"});
	EXPECT_TRUE(contains(reference.out, "weights/s, reference search")) << reference.out;
	const ToolResult best = runTool("vkquant", {kSample, folder / "best.gguf", "Q4_0", "--search", "best"});
	EXPECT_EQ(best.code, 0) << best.err;
	EXPECT_TRUE(contains(best.out, "weights/s, best search")) << best.out;
	const ToolResult summary = runTool("vkquant", {kSample, folder / "again.gguf", "Q4_0", "--search", "best", "--route", "host", "--json"});
	EXPECT_EQ(json::parse(summary.out)["levels"][0]["search"], "best");
	EXPECT_TRUE(readFile(folder / "best.gguf") == readFile(folder / "again.gguf"));   // host and device, the same bytes

	// A key of our own tells readers of the file; the reference's bytes stay the reference's.
	const auto text = [&](const char* name) {
		const auto bytes = readFile(folder / name);
		return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
	};
	EXPECT_TRUE(contains(text("best.gguf"), "vkquant.search"));
	EXPECT_FALSE(contains(text("reference.gguf"), "vkquant.search"));

	const ToolResult unknown = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_0", "--search", "bset"});
	EXPECT_EQ(unknown.code, 2);
	EXPECT_EQ(unknown.firstError(), "vkquant: --search: bset not in {reference,best}");
}

TEST(Vkquant, EncodesOnTheDeviceThatIsAskedFor) {
	TempFolder folder;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "a.gguf", "Q4_K_M", "--route", "device", "--device", "0", "--quiet"}).code, 0);
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "b.gguf", "Q4_K_M", "--route", "host", "--quiet"}).code, 0);
	EXPECT_TRUE(readFile(folder / "a.gguf") == readFile(folder / "b.gguf"));
	const ToolResult unknown = runTool("vkquant", {kSample, folder / "c.gguf", "Q4_K_M", "--device", "no-such-device"});
	EXPECT_EQ(unknown.code, 1);
	EXPECT_EQ(unknown.firstError(), "vkquant: no Vulkan device is 'no-such-device'");
}

TEST(Vkquant, ReadsTheSourceWithoutImportingItToo) {
	TempFolder folder;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "a.gguf", "Q4_K_M", "--route", "device", "--quiet"}).code, 0);
	const ToolResult copied = runTool("vkquant", {kSample, folder / "b.gguf", "Q4_K_M", "--route", "device", "--json"}, {.environment = {{"VKQ_NO_IMPORT", "1"}}});
	EXPECT_EQ(copied.code, 0);
	EXPECT_EQ(json::parse(copied.out)["read_in_place"], false);
	EXPECT_TRUE(readFile(folder / "a.gguf") == readFile(folder / "b.gguf"));
}

TEST(Vkquant, RefusesAQuantizedSourceAndNamesTheFlag) {
	TempFolder folder;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "q8.gguf", "Q8_0", "--quiet"}).code, 0);
	const ToolResult refused = runTool("vkquant", {folder / "q8.gguf", folder / "q4.gguf", "Q4_K_M"});
	EXPECT_EQ(refused.code, 1);
	EXPECT_TRUE(contains(refused.firstError(), "is already quantized"));
	EXPECT_TRUE(contains(refused.err, "--allow-requantize"));
	EXPECT_FALSE(std::filesystem::exists(folder / "q4.gguf"));
	EXPECT_EQ(runTool("vkquant", {folder / "q8.gguf", folder / "q4.gguf", "Q4_K_M", "--allow-requantize", "--quiet"}).code, 0);
}

TEST(Vkquant, RefusesToReplaceAFileWithoutForce) {
	TempFolder folder;
	writeText(folder / "out.gguf", "precious");
	const ToolResult refused = runTool("vkquant", {kSample, folder / "out.gguf", "Q8_0"});
	EXPECT_EQ(refused.code, 1);
	EXPECT_TRUE(contains(refused.err, "--force"));
	EXPECT_EQ(readFile(folder / "out.gguf").size(), 8u);
}

TEST(Vkquant, ExplainsUsageErrors) {
	for (const std::vector<std::string>& arguments :
	     {std::vector<std::string>{}, {kSample}, {kSample, "Q4_K_Z"}, {kSample, "out.gguf", "Q4_K_M", "Q8_0"}, {kSample, "Q4_K_M", "--tensor-type", "attn_v"},
	      {kSample, "Q4_K_M", "--output-tensor-type", "q9"}, {kSample, "Q4_K_M", "--route", "cloud"}, {kSample, "Q4_K_M", "--include-weights", "attn"},
	      {kSample, "Q4_K_M", "--prune-layers", "x"}, {kSample, "Q4_K_M", "--no-such-flag"}}) {
		const ToolResult result = runTool("vkquant", arguments);
		EXPECT_EQ(result.code, 2) << (arguments.empty() ? "" : arguments.back());
		EXPECT_EQ(result.out, "");
		EXPECT_TRUE(result.err.starts_with("vkquant: ")) << result.err;
	}
	EXPECT_EQ(runTool("vkquant", {"--no-such-flag"}).firstError(), "vkquant: there is no option --no-such-flag") << "and not that the model is missing";
}

TEST(Vkquant, HelpHasExamplesAndTypes) {
	const ToolResult result = runTool("vkquant", {"--help"});
	EXPECT_EQ(result.code, 0);
	EXPECT_TRUE(contains(result.out, "vkquant model-f16.gguf Q4_K_M"));
	EXPECT_TRUE(contains(result.out, "IQ4_XS"));
	EXPECT_TRUE(contains(result.out, "--imatrix"));
}

TEST(Vkquant, NamesFilesThatAreNoModels) {
	TempFolder folder;
	writeText(folder / "notes.txt", "not a model");
	for (const std::string& input : {(folder / "notes.txt").string(), (folder / "absent.gguf").string()}) {
		const ToolResult result = runTool("vkquant", {input, folder / "out.gguf", "Q8_0"});
		EXPECT_EQ(result.code, 1);
		EXPECT_TRUE(contains(result.firstError(), std::filesystem::path(input).filename().string())) << result.err;
		EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
	}
}

TEST(Vkquant, LeavesNothingBehindWhenTheDeviceIsLost) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M", "--route", "device"}, {.environment = {{"VKQ_FAULT", "device_lost@3"}}});
	EXPECT_EQ(result.code, 1);
	EXPECT_TRUE(contains(result.firstError(), "device was lost")) << result.err;
	EXPECT_TRUE(folder.listing().empty());
}

TEST(Vkquant, LeavesNothingBehindWhenDeviceMemoryRunsOut) {
	TempFolder folder;
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M", "--route", "device"}, {.environment = {{"VKQ_FAULT", "out_of_memory@2"}}});
	EXPECT_EQ(result.code, 1);
	EXPECT_TRUE(contains(result.firstError(), "out of device memory")) << result.err;
	EXPECT_TRUE(folder.listing().empty());
}

TEST(Vkquant, SaysThatTheDiskIsFull) {
	if (geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
	TempFolder folder;
	if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) GTEST_SKIP() << "mounting is not allowed here";
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M"});
	const auto left = folder.listing();
	umount(folder.path().c_str());
	EXPECT_EQ(result.code, 1);
	EXPECT_TRUE(contains(result.firstError(), "room") || contains(result.firstError(), "space")) << result.err;
	EXPECT_TRUE(left.empty());
}

TEST(Vkquant, SaysThatTheFolderIsMissingOrReadOnly) {
	TempFolder folder;
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "no/such/out.gguf", "Q8_0"}).code, 1);
	EXPECT_TRUE(folder.listing().empty());
	const ToolResult result = runTool("vkquant", {kSample, "/proc/out.gguf", "Q8_0"});
	EXPECT_EQ(result.code, 1);
	EXPECT_TRUE(contains(result.firstError(), "/proc"));
}

TEST(Vkquant, SaysThatTheFileSystemIsReadOnly) {
	if (geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
	TempFolder folder;
	if (mount("tmpfs", folder.path().c_str(), "tmpfs", MS_RDONLY, "size=16m") != 0) GTEST_SKIP() << "mounting is not allowed here";
	const ToolResult result = runTool("vkquant", {kSample, folder / "out.gguf", "Q4_K_M"});
	umount(folder.path().c_str());
	EXPECT_EQ(result.code, 1);
	EXPECT_TRUE(contains(result.firstError(), "Read-only file system")) << result.err;
}

TEST(Vkquant, ContinuesAfterItWasKilled) {
	TempFolder folder;
	const std::vector<std::string> arguments{kSample, folder / "out.gguf", "Q2_K", "--route", "host", "--threads", "1", "--resume"};
	RunningTool tool("vkquant", arguments);
	for (int i = 0; i < 2000 && !std::filesystem::exists(folder / "out.gguf.partial"); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
	tool.send(SIGKILL);
	tool.wait();
	ASSERT_FALSE(std::filesystem::exists(folder / "out.gguf"));
	const ToolResult again = runTool("vkquant", arguments);
	EXPECT_EQ(again.code, 0) << again.err;
	EXPECT_EQ(folder.listing(), (std::vector<std::string>{"out.gguf"}));
	EXPECT_EQ(runTool("vkquant", {kSample, folder / "whole.gguf", "Q2_K", "--quiet"}).code, 0);
	EXPECT_TRUE(readFile(folder / "out.gguf") == readFile(folder / "whole.gguf"));
}

TEST(Vkquant, LeavesNothingUnderTheFinalNameWhenKilled) {
	TempFolder folder;
	RunningTool tool("vkquant", {kSample, folder / "out.gguf", "Q2_K", "--route", "host", "--threads", "1"});
	std::this_thread::sleep_for(std::chrono::milliseconds(60));
	tool.send(SIGKILL);
	tool.wait();
	EXPECT_FALSE(std::filesystem::exists(folder / "out.gguf"));
}

TEST(Vkquant, CtrlCRemovesTheTemporaryFile) {
	TempFolder folder;
	// One host thread and many slow formats: long enough to be caught in the middle, on a busy machine too.
	RunningTool tool("vkquant", {kSample, folder.path(), "Q2_K", "Q3_K_M", "IQ4_NL", "IQ4_XS", "Q4_K_M", "Q5_K_M", "Q4_1", "Q5_1", "--route", "host", "--threads", "1"});
	for (int i = 0; i < 20000 && folder.listing().empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
	tool.send(SIGINT);
	const ToolResult result = tool.wait();
	EXPECT_EQ(result.code, 130) << result.err;
	EXPECT_EQ(result.firstError(), "vkquant: interrupted");
	EXPECT_TRUE(folder.listing().empty());
}
