// Side by side with the reference's own tools: the same command lines must give the same files, and what we write must load and talk.
#include "peer.h"

using namespace vkq::test;

namespace {

struct QuantizePeer : Peer {
	/// Both tools with the same options; then the files are compared.
	void same(const std::vector<std::string>& options, const std::string& type) {
		std::string text;
		for (const std::string& option : options) text += "'" + option + "' ";
		SCOPED_TRACE(text + type);
		std::filesystem::remove(folder / "theirs.gguf");
		ASSERT_EQ(peer("llama-quantize " + text + "model.gguf theirs.gguf " + type + " 2"), 0);
		std::vector<std::string> arguments{"model.gguf", "ours.gguf", type, "--force", "--quiet", "--route", "device"};
		arguments.insert(arguments.end(), options.begin(), options.end());
		const ToolResult result = runTool("vkquant", arguments, {.folder = folder.path()});
		ASSERT_EQ(result.code, 0) << result.err;
		EXPECT_TRUE(readFile(folder / "theirs.gguf") == readFile(folder / "ours.gguf"));
	}
};

}  // namespace

TEST_F(QuantizePeer, WritesTheSameWholeFilesForEveryType) {
	for (const char* type : {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M",
	                         "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4_MOE", "COPY"})
		same({}, type);
}

TEST_F(QuantizePeer, WritesTheSameFilesWithAnImportanceMatrix) {
	for (const char* type : {"Q4_0", "Q2_K", "Q2_K_S", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "IQ4_XS"}) same({"--imatrix", "imatrix.gguf"}, type);
	same({"--imatrix", "imatrix.gguf", "--include-weights", "ffn_down"}, "Q4_K_M");
	same({"--imatrix", "imatrix.gguf", "--exclude-weights", "attn_v"}, "Q4_K_M");
}

TEST_F(QuantizePeer, UnderstandsTheSameOverrides) {
	same({"--pure"}, "Q4_K_M");
	same({"--leave-output-tensor"}, "Q4_K_M");
	same({"--output-tensor-type", "q8_0"}, "Q4_K_M");
	same({"--token-embedding-type", "q6_k"}, "Q4_K_M");
	same({"--tensor-type", "attn_v=q8_0", "--tensor-type", "blk\\.[0-2]\\.ffn=q5_k"}, "Q4_K_M");
	same({"--override-kv", "general.name=str:Orator", "--override-kv", "x.y=int:-7", "--override-kv", "x.z=float:0.5", "--override-kv", "x.b=bool:true"}, "Q8_0");
	same({"--prune-layers", "1,4"}, "Q4_K_M");
}

TEST_F(QuantizePeer, TakesOurRecipesAsTensorTypeFiles) {
	ASSERT_EQ(runTool("vkquant", {"model.gguf", "--target-bpw", "4.5", "--dry-run", "--recipe-out", "mix.txt", "--quiet"}, {.folder = folder.path()}).code, 0);
	ASSERT_EQ(peer("llama-quantize --tensor-type-file mix.txt model.gguf theirs.gguf Q4_K_M 2"), 0);
	ASSERT_EQ(runTool("vkquant", {"model.gguf", "ours.gguf", "Q4_K_M", "--recipe", "mix.txt", "--quiet"}, {.folder = folder.path()}).code, 0);
	EXPECT_TRUE(readFile(folder / "theirs.gguf") == readFile(folder / "ours.gguf"));
}

TEST_F(QuantizePeer, RequantizesAlike) {
	ASSERT_EQ(runTool("vkquant", {"model.gguf", "q8.gguf", "Q8_0", "--quiet"}, {.folder = folder.path()}).code, 0);
	std::filesystem::rename(folder / "q8.gguf", folder / "model.gguf");
	same({"--allow-requantize"}, "Q4_K_M");
}

TEST_F(QuantizePeer, LoadsOurFilesAndTalks) {
	for (const char* type : {"Q4_K_M", "Q6_K", "Q8_0", "Q2_K", "IQ4_XS"}) {
		ASSERT_EQ(runTool("vkquant", {"model.gguf", "ours.gguf", type, "--force", "--quiet"}, {.folder = folder.path()}).code, 0);
		ASSERT_EQ(peer("llama-completion -m ours.gguf -dev none -ngl 0 -t 2 -no-cnv -p 'The state of the Union' -n 12 --temp 0", "talk.log"), 0) << type;
		EXPECT_NE(text("talk.log").find("The state of the Union"), std::string::npos) << type;
	}
}
