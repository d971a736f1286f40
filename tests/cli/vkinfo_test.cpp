#include "ggufio/gguf_writer.h"
#include "ggufio/model_source.h"
#include "ggufio/split_name.h"
#include "run_tool.h"
#include "tests/ggufio/gguf_image.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace vkq::test;
using nlohmann::json;

namespace {

const std::string kSample = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

void writeText(const std::filesystem::path& path, std::string_view text) {
	writeFile(path, std::as_bytes(std::span(text)));
}

}  // namespace

TEST(Vkinfo, ShowsMetadataTensorsAndTotals) {
	const ToolResult result = runTool("vkinfo", {kSample});
	EXPECT_EQ(result.code, 0);
	EXPECT_EQ(result.err, "");
	EXPECT_TRUE(contains(result.out, kSample + ": GGUF version 3, 11.07 MiB, 21 metadata entries, 57 tensors, 5.8 M weights, 16.01 bits per weight\n"));
	EXPECT_TRUE(contains(result.out, "general.architecture                    string        llama\n"));
	EXPECT_TRUE(contains(result.out, "general.file_type                       u32           1 (F16)\n"));
	EXPECT_TRUE(contains(result.out, "tokenizer.ggml.token_type               i32[2048]     3, 3, 1, 1, 1, 1, 1, 1, ...\n"));
	EXPECT_TRUE(contains(result.out, "blk.0.attn_k.weight       256 x 128   F16    64.00 KiB        16.00\n"));
	EXPECT_TRUE(contains(result.out, "all        57    5.8 M  11.01 MiB        16.01  100.0 %\n"));
}

TEST(Vkinfo, ShowsOnlyTheSectionsAndNamesAskedFor) {
	const ToolResult result = runTool("vkinfo", {"--tensors", "--filter", "blk.*.attn_v.weight", kSample});
	EXPECT_EQ(result.code, 0);
	EXPECT_FALSE(contains(result.out, "general.architecture"));
	EXPECT_FALSE(contains(result.out, "token_embd"));
	EXPECT_TRUE(contains(result.out, "blk.5.attn_v.weight"));
	EXPECT_TRUE(contains(result.out, "57 tensors"));
}

TEST(Vkinfo, GivesJson) {
	const ToolResult result = runTool("vkinfo", {"--json", kSample});
	EXPECT_EQ(result.code, 0);
	const json info = json::parse(result.out);
	EXPECT_EQ(info["tensor_count"], 57);
	EXPECT_EQ(info["bytes"], 11611936);
	EXPECT_EQ(info["metadata"][0]["key"], "general.architecture");
	EXPECT_EQ(info["metadata"][0]["value"], "llama");
	EXPECT_EQ(info["tensors"][0]["shape"], json({256, 2048}));
	EXPECT_EQ(info["tensors"][0]["type"], "F16");
	for (const json& entry : info["metadata"])
		if (entry["key"] == "tokenizer.ggml.tokens") {
			EXPECT_EQ(entry["count"], 2048);
			EXPECT_EQ(entry["value"].size(), 8u);
		}
}

TEST(Vkinfo, GivesWholeArraysWhenAsked) {
	const ToolResult result = runTool("vkinfo", {"--json", "--metadata", "--filter", "*.tokens", "--full", kSample});
	const json info = json::parse(result.out);
	ASSERT_EQ(info["metadata"].size(), 1u);
	EXPECT_EQ(info["metadata"][0]["value"].size(), 2048u);
	EXPECT_FALSE(info.contains("tensors"));
}

TEST(Vkinfo, ShowsASplitModelAsOne) {
	const TempFolder folder;
	const auto source = vkq::openGgufSource(kSample);
	ASSERT_TRUE(source.ok());
	const std::vector<vkq::TensorInfo> tensors((*source)->tensors().begin(), (*source)->tensors().end());
	auto shards = vkq::layOutShards(folder / "m", (*source)->metadata(), tensors, vkq::shardsBySize(tensors, 4'000'000));
	ASSERT_TRUE(shards.ok());
	const size_t count = shards->size();
	auto writer = vkq::GgufWriter::create(std::move(*shards), false);
	ASSERT_TRUE(writer.ok());
	for (size_t i = 0; i < tensors.size(); ++i) ASSERT_TRUE(writer->write(i, 0, (*source)->mapped(i)).ok());
	ASSERT_TRUE(writer->finish().ok());
	const ToolResult result = runTool("vkinfo", {"--json", vkq::splitPath("m", 1, uint32_t(count)).string()}, {.folder = folder.path()});
	EXPECT_EQ(result.code, 0);
	const json info = json::parse(result.out);
	EXPECT_EQ(info["files"].size(), count);
	EXPECT_EQ(info["tensors"].size(), 57u);
	EXPECT_EQ(info["metadata"][0]["value"], "llama");
	std::filesystem::remove(vkq::splitPath(folder / "m", 0, uint32_t(count)));
	const ToolResult missing = runTool("vkinfo", {vkq::splitPath("m", 1, uint32_t(count)).string()}, {.folder = folder.path()});
	EXPECT_EQ(missing.code, 1);
	EXPECT_EQ(missing.err, "vkinfo: m: 1 of the model's " + std::to_string(count) + " parts are missing: " + vkq::splitPath("m", 0, uint32_t(count)).string() +
	                           "\n  put all parts into one folder\n");
}

TEST(Vkinfo, ShowsTheOtherFilesWhenOneFails) {
	const ToolResult result = runTool("vkinfo", {"--json", kSample, "/nonexistent.gguf", kSample});
	EXPECT_EQ(result.code, 1);
	EXPECT_EQ(result.err, "vkinfo: /nonexistent.gguf: no such file\n");
	EXPECT_EQ(json::parse(result.out).size(), 2u);
}

TEST(Vkinfo, SaysWhatAForeignFileLooksLike) {
	const TempFolder folder;
	const auto errorFor = [&](std::string_view contents) {
		writeText(folder / "x", contents);
		const ToolResult result = runTool("vkinfo", {"x"}, {.folder = folder.path()});
		EXPECT_EQ(result.code, 1);
		EXPECT_EQ(result.out, "");
		return result.err;
	};
	EXPECT_EQ(errorFor(std::string_view("\x20\0\0\0\0\0\0\0{\"a\": ", 14)), "vkinfo: x: not a GGUF file; it looks like a safetensors file\n  vkquant makes a GGUF file of it\n");
	EXPECT_EQ(errorFor(std::string("PK\x03\x04") + "rest"), "vkinfo: x: not a GGUF file; it looks like a zip archive (PyTorch checkpoints are)\n"
	                                "  look for the model's .safetensors or .gguf files: pickles can run code and are not read\n");
	EXPECT_TRUE(contains(errorFor("\n<!DOCTYPE html><html>"), "it looks like a web page\n"));
	EXPECT_TRUE(contains(errorFor("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "it looks like a Git LFS pointer, not the file itself\n  run `git lfs pull`"));
	EXPECT_TRUE(contains(errorFor("\x80\x02}q"), "it looks like a Python pickle"));
	EXPECT_TRUE(contains(errorFor(""), "it looks like an empty file\n"));
	EXPECT_TRUE(contains(errorFor(std::string(64, '\0')), "it looks like a file that begins with zeros\n"));
	EXPECT_TRUE(contains(errorFor("lmgg0000"), "it looks like a GGML file from before GGUF\n"));
	EXPECT_TRUE(contains(errorFor("hello"), "it looks like no file of a known kind\n"));
}

TEST(Vkinfo, NeverSendsAFilesControlCharactersToTheTerminal) {
	const TempFolder folder;
	GgufImage image;
	image.header(0, 1).key("evil\x1b]0;title\x07", vkq::MetaType::String).text("\x1b[2Jgone\nline").pad();
	writeFile(folder / "x.gguf", image.bytes);
	for (const char* flag : {"--metadata", "--full", "--json"}) {
		const ToolResult result = runTool("vkinfo", {flag, "x.gguf"}, {.folder = folder.path()});
		EXPECT_EQ(result.code, 0);
		EXPECT_FALSE(contains(result.out, "\x1b")) << flag;
	}
}

TEST(Vkinfo, GivesJsonForTextThatIsNoUtf8) {
	const TempFolder folder;
	GgufImage image;
	image.header(0, 1).key("k", vkq::MetaType::String).text("\xff\xfe").pad();
	writeFile(folder / "x.gguf", image.bytes);
	const ToolResult result = runTool("vkinfo", {"--json", "x.gguf"}, {.folder = folder.path()});
	EXPECT_EQ(result.code, 0);
	EXPECT_EQ(json::parse(result.out)["metadata"][0]["key"], "k");
}

TEST(Vkinfo, ExplainsItself) {
	const ToolResult help = runTool("vkinfo", {"--help"});
	EXPECT_EQ(help.code, 0);
	EXPECT_TRUE(contains(help.out, "Examples:\n  vkinfo model.gguf\n"));
	EXPECT_EQ(runTool("vkinfo", {"--version"}).code, 0);
}

TEST(Vkinfo, RefusesWrongArgumentsWithCodeTwo) {
	const ToolResult none = runTool("vkinfo", {});
	EXPECT_EQ(none.code, 2);
	EXPECT_EQ(none.err, "vkinfo: name the files to show, or give --devices alone\n  see vkinfo --help\n");
	EXPECT_EQ(runTool("vkinfo", {"--devices", kSample}).code, 2);
	const ToolResult unknown = runTool("vkinfo", {"--colour", kSample});
	EXPECT_EQ(unknown.code, 2);
	EXPECT_EQ(unknown.out, "");
	EXPECT_TRUE(contains(unknown.err, "--colour"));
}

TEST(Vkinfo, FailsWhenItsOutputCannotBeWritten) {
	const ToolResult result = runTool("vkinfo", {kSample}, {.stdout_to = "/dev/full"});
	EXPECT_EQ(result.code, 1);
	EXPECT_EQ(result.err, "vkinfo: standard output cannot be written: No space left on device\n");
}
