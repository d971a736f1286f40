// How fast text becomes tokens and tokens text, beside llama-tokenize in the same run.
//
//   bench.tokenizer_bench VOCAB.gguf TEXT [--mib 8] [--peer "peer/run"]
//
// The text is repeated to --mib MiB. llama-tokenize's speed is the difference between a run over that text and one over an eighth
// of it, so that loading the vocabulary does not count; printing the ids does, since it cannot be told not to. Both use one thread.
#include "ggufio/gguf_reader.h"
#include "infer/detokenizer.h"
#include "infer/sampler.h"
#include "infer/tokenizer.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <random>

#include <unistd.h>

using namespace vkq;

namespace {

/// The quickest of several calls, in seconds.
double seconds(const std::function<void()>& work, int calls = 3) {
	double best = 1e9;
	for (int i = 0; i < calls; ++i) {
		const auto start = std::chrono::steady_clock::now();
		work();
		best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
	}
	return best;
}

std::string repeated(const std::string& text, size_t bytes) {
	std::string all;
	all.reserve(bytes + text.size());
	while (all.size() < bytes) all += text;
	all.resize(bytes);
	return all;
}

/// Bytes a second of llama-tokenize, or nothing when it does not run.
std::optional<double> peerSpeed(const std::string& peer, const std::string& vocabulary, const std::string& text) {
	namespace fs = std::filesystem;
	const fs::path folder = fs::temp_directory_path() / fmt::format("vkq-tokenizer-bench-{}", getpid());
	fs::create_directory(folder);
	fs::copy_file(vocabulary, folder / "vocab.gguf");
	const auto timed = [&](size_t bytes) -> std::optional<double> {
		std::ofstream(folder / "text.txt", std::ios::binary) << text.substr(0, bytes);
		const std::string command = fmt::format("cd {} && {} llama-tokenize -m vocab.gguf -f text.txt --ids --no-escape --no-parse-special > /dev/null 2>&1",
		                                        folder.string(), peer);
		bool ran = true;
		const double best = seconds([&] { ran = ran && std::system(command.c_str()) == 0; });
		return ran ? std::optional(best) : std::nullopt;
	};
	const auto some = timed(text.size() / 8), all = timed(text.size());
	fs::remove_all(folder);
	if (!some || !all || *all <= *some) return std::nullopt;
	return double(text.size() - text.size() / 8) / (*all - *some);
}

void report(std::string_view what, double bytes, double taken) { fmt::print("{:<44} {:>9.1f} MB/s\n", what, bytes / taken / 1e6); }

void benchSampler(uint32_t vocabulary) {
	std::vector<float> logits(vocabulary);
	std::mt19937 random(1);
	for (float& logit : logits) logit = float(random() % 100000) * 2e-4f;
	for (const auto& [name, options] : std::vector<std::pair<std::string, SamplerOptions>>{
			 {"greedy", {.temperature = 0}}, {"top-k 40, top-p 0.95, min-p 0.05", {}}, {"top-p 0.95 alone", {.top_k = 0, .min_p = 0}}, {"temperature alone", {.top_k = 0, .top_p = 1, .min_p = 0}}}) {
		auto sampler = Sampler::create(options);
		const double taken = seconds([&] { for (int i = 0; i < 20; ++i) (void)sampler->sample(logits); }) / 20;
		fmt::print("{:<44} {:>9.2f} ms\n", fmt::format("sample of {}, {}", vocabulary, name), taken * 1e3);
	}
}

}  // namespace

int main(int argc, char** argv) {
	CLI::App app("Speed of the tokenizer of a GGUF file over a text.");
	std::string vocabulary, text_file, peer = std::getenv("VKQ_PEER") ? std::getenv("VKQ_PEER") : "";
	size_t mib = 8;
	app.add_option("VOCAB", vocabulary, "a GGUF file with a tokenizer")->required()->check(CLI::ExistingFile);
	app.add_option("TEXT", text_file, "a text file")->required()->check(CLI::ExistingFile);
	app.add_option("--mib", mib, "how much text, MiB")->check(CLI::Range(1, 512))->capture_default_str();
	app.add_option("--peer", peer, "command in front of llama-tokenize (default: $VKQ_PEER)");
	CLI11_PARSE(app, argc, argv);

	auto file = GgufFile::open(vocabulary);
	std::optional<Tokenizer> tokenizer;
	const double load = file.ok() ? seconds([&] {
		auto opened = Tokenizer::fromMetadata(file->metadata(), vocabulary);
		if (opened.ok()) tokenizer.emplace(std::move(*opened));
	}) : 0;
	if (!tokenizer) {
		fmt::print(stderr, "{} has no tokenizer that can be used\n", vocabulary);
		return 1;
	}
	std::ifstream in(text_file, std::ios::binary);
	const std::string text = repeated({std::istreambuf_iterator<char>(in), {}}, mib << 20);

	std::vector<Token> tokens;
	const auto encode = [&](const std::string& what) { tokens = std::move(*tokenizer->encode(what)); };
	fmt::print("{:<44} {:>9.1f} ms\n", "load", load * 1e3);
	const double ours = seconds([&] { encode(text); });
	report("encode", double(text.size()), ours);
	fmt::print("{:<44} {:>9.2f}\n", "bytes a token", double(text.size()) / double(tokens.size()));
	if (!peer.empty()) {
		if (const auto speed = peerSpeed(peer, vocabulary, text)) {
			report("encode, llama-tokenize", *speed, 1);
			fmt::print("{:<44} {:>9.1f} x\n", "ratio", double(text.size()) / ours / *speed);
		} else {
			fmt::print("{:<44} {:>14}\n", "encode, llama-tokenize", "does not run");
		}
	}
	report("decode", double(text.size()), seconds([&] { (void)tokenizer->decode(tokens); }));
	report("decode token by token", double(text.size()), seconds([&] {
		Detokenizer stream(*tokenizer);
		for (const Token token : tokens) (void)stream.push(token);
	}));
	for (const auto& [name, unit] : {std::pair("one letter", "a"), {"spaces", " "}, {"line ends", "\n"}, {"capital E acute", "\xC3\x89"}}) {
		const std::string run = repeated(unit, 1 << 20);
		report(fmt::format("encode 1 MiB of {}", name), double(run.size()), seconds([&] { encode(run); }));
	}
	benchSampler(262144);
	return 0;
}
