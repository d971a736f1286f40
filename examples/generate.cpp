// Continues a text: example_generate MODEL.gguf "Once upon a time" [TOKENS]
//
// Shows the whole of the C++ API that a program needs: open a file, plan and load it, tokenize, sample, print.
#include "infer/generate.h"

#include <cstdio>
#include <cstdlib>

namespace {

int report(const vkq::Error& error) {
	std::fprintf(stderr, "%s\n%s\n", error.message.c_str(), error.hint.c_str());
	return 1;
}

}  // namespace

int main(int argc, char** argv) {
	if (argc < 3) {
		std::fprintf(stderr, "usage: example_generate MODEL.gguf TEXT [TOKENS]\n");
		return 2;
	}
	// The file stays open as long as the session: embeddings are read from its map.
	auto source = vkq::openModelSource(argv[1]);
	if (!source) return report(source.error());
	auto tokenizer = vkq::Tokenizer::fromMetadata((*source)->metadata(), (*source)->name());
	if (!tokenizer) return report(tokenizer.error());

	// The plan is made from the device's real limits before anything is allocated; a model that does not fit is refused here.
	auto session = vkq::Session::open(**source, {.context = 256, .k_type = vkq::TensorType::Q8_0, .v_type = vkq::TensorType::Q8_0});
	if (!session) return report(session.error());
	auto sampler = vkq::Sampler::create({.temperature = 0.8f, .seed = 1});
	if (!sampler) return report(sampler.error());

	auto prompt = tokenizer->encode(argv[2]);
	if (!prompt) return report(prompt.error());
	const vkq::GenerateOptions options{.most_tokens = argc > 3 ? uint32_t(std::strtoul(argv[3], nullptr, 10)) : 64};
	const auto show = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); };
	auto answer = vkq::generate(*session, *tokenizer, *sampler, *prompt, options, show);
	if (!answer) return report(answer.error());
	std::printf("\n[%zu tokens, ended by %s]\n", answer->tokens.size(), std::string(vkq::stopReasonName(answer->reason)).c_str());
	return 0;
}
