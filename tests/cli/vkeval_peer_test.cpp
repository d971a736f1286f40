// Measurements side by side with the reference's own tools: files of log-probabilities and importance matrices go both ways.
#include "peer.h"

#include "ggufio/imatrix_file.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <regex>

using namespace vkq;
using namespace vkq::test;

namespace {

struct EvalPeer : Peer {
	static constexpr const char* kOnCpu = " -dev none -ngl 0 -t 2";

	void SetUp() override {
		Peer::SetUp();
		if (IsSkipped()) return;
		std::filesystem::copy_file(std::string(VKQ_SOURCE_DIR) + "/tests/data/corpus/valid-small.txt", folder / "text");
		ASSERT_EQ(runTool("vkquant", {"model.gguf", "level.gguf", "Q4_K_M", "--quiet"}, {.folder = folder.path()}).code, 0);
	}

	nlohmann::json vkeval(std::vector<std::string> arguments) {
		arguments.push_back("--json");
		const ToolResult result = runTool("vkeval", arguments, {.folder = folder.path()});
		EXPECT_EQ(result.code, 0) << result.err;
		return nlohmann::json::parse(result.out, nullptr, false);
	}

	/// What llama-perplexity --kl-divergence says of a level against a base file.
	double theirs(const std::string& base, const std::string& figure) {
		EXPECT_EQ(peer("llama-perplexity -m level.gguf -f text -c 128 --kl-divergence --kl-divergence-base " + base + kOnCpu, "kld.log"), 0);
		const std::string log = text("kld.log");
		std::smatch found;
		EXPECT_TRUE(std::regex_search(log, found, std::regex(figure + " *: *(-?[0-9.]+)"))) << log;
		return found.empty() ? NAN : std::stod(found[1]);
	}
};

}  // namespace

TEST_F(EvalPeer, LogProbabilitiesAreReadByEitherSide) {
	ASSERT_EQ(peer(std::string("llama-perplexity -m model.gguf -f text -c 128 --chunks 4 --kl-divergence-base theirs.bin") + kOnCpu), 0);
	vkeval({"ppl", "model.gguf", "-f", "text", "-c", "128", "--chunks", "4", "--inputs", "reference", "--save-logits", "ours.bin"});
	const std::string ours = text("ours.bin"), of_theirs = text("theirs.bin");
	const size_t header = 8 + 3 * 4 + 4 * 128 * 4;   // magic, three numbers, the tokens
	EXPECT_EQ(ours.size(), of_theirs.size());
	EXPECT_EQ(ours.substr(0, header), of_theirs.substr(0, header));

	// The original beside itself, across the two programs.
	EXPECT_LT(std::fabs(double(vkeval({"kld", "model.gguf", "--base", "theirs.bin", "--inputs", "reference"})["mean_kld"])), 1e-5);
	// A level against either file, by either program: four figures that are one.
	const double kld = theirs("theirs.bin", "Mean +KLD"), perplexity = theirs("theirs.bin", "Mean PPL\\(Q\\)");
	EXPECT_NEAR(theirs("ours.bin", "Mean +KLD") / kld, 1, 0.005);
	EXPECT_NEAR(theirs("ours.bin", "Mean PPL\\(base\\)") / theirs("theirs.bin", "Mean PPL\\(base\\)"), 1, 0.0005);
	for (const char* base : {"theirs.bin", "ours.bin"}) {
		const auto measured = vkeval({"kld", "level.gguf", "--base", base, "--inputs", "reference"});
		EXPECT_NEAR(double(measured["mean_kld"]) / kld, 1, 0.08) << base;   // 252 positions: roundings that fall otherwise still show
		EXPECT_NEAR(double(measured["perplexity"]) / perplexity, 1, 0.005) << base;
	}
}

TEST_F(EvalPeer, ImportanceMatricesAreReadByEitherSide) {
	ASSERT_EQ(peer(std::string("llama-imatrix -m model.gguf -f text -c 128 --chunks 4 -o theirs.gguf") + kOnCpu), 0);
	vkeval({"imatrix", "model.gguf", "-f", "text", "-c", "128", "--chunks", "4", "-o", "ours.gguf"});
	const auto ours = openImatrix(folder / "ours.gguf"), of_theirs = openImatrix(folder / "theirs.gguf");
	ASSERT_TRUE(ours.ok() && of_theirs.ok());
	EXPECT_EQ(ours->importance.size(), of_theirs->importance.size());
	for (const auto& [name, wanted] : of_theirs->importance) {
		const auto found = ours->importance.find(name);
		ASSERT_NE(found, ours->importance.end()) << name;
		ASSERT_EQ(found->second.size(), wanted.size()) << name;
		double difference = 0, total = 0;
		for (size_t i = 0; i < wanted.size(); ++i) {
			difference += std::fabs(double(found->second[i]) - wanted[i]);
			total += wanted[i];
		}
		EXPECT_LT(difference / total, 0.01) << name;
	}
	// The reference takes ours, and makes of it what we do.
	ASSERT_EQ(peer("llama-quantize --imatrix ours.gguf model.gguf theirs-q2.gguf Q2_K 2"), 0);
	ASSERT_EQ(runTool("vkquant", {"model.gguf", "ours-q2.gguf", "Q2_K", "--imatrix", "ours.gguf", "--quiet"}, {.folder = folder.path()}).code, 0);
	EXPECT_TRUE(readFile(folder / "ours-q2.gguf") == readFile(folder / "theirs-q2.gguf"));
}
