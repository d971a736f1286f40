// vkeval: what did quantization cost? Perplexity, divergence, errors of tensors, comparisons.

#include "tools/common.h"
#include "tools/vkeval_commands.h"

#include <fmt/format.h>

using namespace vkq;
using namespace vkq::tools;

namespace {

int vkeval(int argc, char** argv) {
	CLI::App app("", "vkeval");
	describe(app, "Measures what quantization cost.",
	         {"vkeval ppl model-Q4_K_M.gguf -f text.txt", "vkeval ppl model-f16.gguf -f text.txt --save-logits base.bin",
	          "vkeval kld model-Q4_K_M.gguf --base base.bin", "vkeval kld model-Q4_K_M.gguf --original model-f16.gguf -f text.txt",
	          "vkeval tensors model-f16.gguf model-Q4_K_M.gguf --imatrix imatrix.gguf",
	          "vkeval compare model-f16.gguf Q8_0 Q5_K_M Q4_K_M -f text.txt --report report.html",
	          "vkeval imatrix model-f16.gguf -f text.txt -o imatrix.gguf"});
	app.require_subcommand(1);
	EvalCommand chosen;
	addPerplexityCommand(app, chosen);
	addDivergenceCommand(app, chosen);
	addTensorsCommand(app, chosen);
	addCompareCommand(app, chosen);
	addImatrixCommand(app, chosen);
	if (const auto code = parseArguments(app, argc, argv)) return *code;
	catchInterrupts();
	if (auto done = chosen(); !done) return report("vkeval", done.error());
	return kDone;
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkeval", [&] { return vkeval(argc, argv); });
}
