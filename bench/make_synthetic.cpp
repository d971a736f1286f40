// Writes a random F16 llama of a chosen shape: models of any size for benchmarks, without a download.
//
//   make_synthetic OUT.gguf [--embd 2048] [--ff 8192] [--layers 8] [--heads 32] [--kv-heads 8] [--vocab 32000] [--imatrix OUT-IMATRIX.gguf]
//
// The defaults give 618 M weights. Weights are normal with the spread of trained models (0.02), from a fixed seed: the same call gives the
// same bytes. The vocabulary is one token a byte pair and good enough for llama.cpp to load and run.
#include "arch/model.h"
#include "core/half.h"
#include "core/units.h"
#include "ggufio/gguf_writer.h"
#include "ggufio/imatrix_file.h"
#include "quantize/parallel.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <cstring>

using namespace vkq;

namespace {

/// SplitMix64: a stream of its own for every row, so that rows can be made in parallel.
uint64_t mix(uint64_t& state) {
	uint64_t z = (state += 0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/// Normal deviates by a sum of uniform 16-bit parts: cheap, and close enough in the tails for an encoder's benchmark.
float normal(uint64_t& state) {
	const uint64_t a = mix(state), b = mix(state);
	int64_t sum = 0;
	for (int i = 0; i < 4; ++i) sum += int64_t((a >> (16 * i)) & 0xffff) + int64_t((b >> (16 * i)) & 0xffff);
	return float(double(sum - 4 * 65535) / (65536.0 * std::sqrt(8.0 / 12.0)));
}

Metadata makeMetadata(const Hyperparameters& hp) {
	Metadata metadata;
	metadata.set("general.architecture", std::string("llama"));
	metadata.set("general.name", std::string("synthetic"));
	metadata.set("general.file_type", uint32_t(1));
	metadata.set("llama.context_length", hp.n_ctx_train);
	metadata.set("llama.embedding_length", hp.n_embd);
	metadata.set("llama.block_count", hp.n_layer);
	metadata.set("llama.feed_forward_length", hp.n_ff);
	metadata.set("llama.attention.head_count", hp.n_head);
	metadata.set("llama.attention.head_count_kv", hp.n_head_kv);
	metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
	metadata.set("llama.rope.dimension_count", hp.head_dim);
	metadata.set("llama.rope.freq_base", 10000.0f);
	metadata.set("llama.vocab_size", hp.n_vocab);
	std::vector<std::string> tokens;
	std::vector<float> scores;
	std::vector<int32_t> types;
	for (uint32_t i = 0; i < hp.n_vocab; ++i) {
		const bool special = i < 3, byte = i >= 3 && i < 259;
		static const char* const kSpecial[] = {"<unk>", "<s>", "</s>"};
		tokens.push_back(special ? kSpecial[i] : byte ? fmt::format("<0x{:02X}>", i - 3) : fmt::format("w{:05}", i));
		scores.push_back(special || byte ? 0.0f : -float(i));
		types.push_back(special ? (i == 0 ? 2 : 3) : byte ? 6 : 1);
	}
	metadata.set("tokenizer.ggml.model", std::string("llama"));
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(tokens)));
	metadata.set("tokenizer.ggml.scores", MetaArray(std::move(scores)));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::move(types)));
	metadata.set("tokenizer.ggml.bos_token_id", uint32_t(1));
	metadata.set("tokenizer.ggml.eos_token_id", uint32_t(2));
	metadata.set("tokenizer.ggml.unknown_token_id", uint32_t(0));
	return metadata;
}

Result<void> writeTensor(GgufWriter& writer, size_t index, unsigned threads) {
	const TensorInfo& tensor = writer.layout().tensors[index];
	const bool norm = tensor.type == TensorType::F32;
	constexpr uint64_t kSlabElements = 16 << 20;
	const uint64_t rows_at_once = std::max<uint64_t>(1, kSlabElements / tensor.ne[0]);
	std::vector<std::byte> slab(std::min(rows_at_once, tensor.rows()) * tensor.rowBytes());
	for (uint64_t row = 0; row < tensor.rows(); row += rows_at_once) {
		const uint64_t rows = std::min(rows_at_once, tensor.rows() - row);
		parallelFor(threads, rows, [&](size_t r) {
			uint64_t state = (uint64_t(index) << 40) ^ ((row + r) * 0x632be59bd9b4e019);
			std::byte* out = slab.data() + r * tensor.rowBytes();
			for (uint64_t i = 0; i < tensor.ne[0]; ++i) {
				if (norm) {
					const float one = 1.0f + 0.05f * normal(state);
					std::memcpy(out + 4 * i, &one, 4);
				} else {
					const uint16_t half = floatToHalf(0.02f * normal(state));
					std::memcpy(out + 2 * i, &half, 2);
				}
			}
		});
		VKQ_CHECK(writer.write(index, row * tensor.rowBytes(), Bytes(slab.data(), rows * tensor.rowBytes())));
	}
	return {};
}

Result<uint64_t> make(const std::string& path, const Hyperparameters& hp) {
	const Metadata metadata = makeMetadata(hp);
	VKQ_TRY(GgufLayout layout, layOutGguf(metadata, expectedTensors(hp)));
	VKQ_TRY(GgufWriter writer, GgufWriter::create(path, metadata, std::move(layout), true));
	const unsigned threads = std::max(1u, std::thread::hardware_concurrency());
	uint64_t weights = 0;
	for (size_t i = 0; i < writer.layout().tensors.size(); ++i) {
		VKQ_CHECK(writeTensor(writer, i, threads));
		weights += writer.layout().tensors[i].elements();
	}
	VKQ_CHECK(writer.finish());
	return weights;
}

/// Importances as uneven as measured ones: a few columns matter a hundred times more than most.
Result<void> makeImatrix(const std::string& path, const Hyperparameters& hp) {
	ImatrixSums sums;
	sums.datasets = {"synthetic"};
	sums.chunk_count = 10;
	sums.chunk_size = 512;
	uint64_t state = 1;
	for (const TensorInfo& tensor : expectedTensors(hp)) {
		if (tensor.type == TensorType::F32 || !tensor.name.starts_with("blk.")) continue;
		ImatrixSums::Entry entry;
		entry.counts = {5120};
		for (uint64_t i = 0; i < tensor.ne[0]; ++i) entry.in_sum2.push_back(5120 * std::exp(1.5f * normal(state)));
		sums.entries[tensor.name] = std::move(entry);
	}
	return writeImatrix(path, sums, true);
}

}  // namespace

int main(int argc, char** argv) {
	CLI::App app{"Writes a random F16 llama of a chosen shape, for benchmarks."};
	std::string path, imatrix;
	Hyperparameters hp;
	hp.n_ctx_train = 4096;
	hp.n_embd = 2048;
	hp.n_ff = 8192;
	hp.n_layer = 8;
	hp.n_head = 32;
	hp.n_head_kv = 8;
	hp.n_vocab = 32000;
	app.add_option("output", path, "GGUF file to write")->required();
	app.add_option("--embd", hp.n_embd, "width of the residual stream")->capture_default_str();
	app.add_option("--ff", hp.n_ff, "width of the feed-forward")->capture_default_str();
	app.add_option("--layers", hp.n_layer)->capture_default_str();
	app.add_option("--heads", hp.n_head)->capture_default_str();
	app.add_option("--kv-heads", hp.n_head_kv)->capture_default_str();
	app.add_option("--vocab", hp.n_vocab)->capture_default_str();
	app.add_option("--imatrix", imatrix, "importance matrix to write beside it");
	CLI11_PARSE(app, argc, argv);
	if (hp.n_head == 0 || hp.n_head_kv == 0 || hp.n_embd % hp.n_head || hp.n_head % hp.n_head_kv || hp.n_vocab < 259 || hp.n_layer == 0) {
		fmt::print(stderr, "make_synthetic: heads must divide embd, kv-heads must divide heads, vocab must be at least 259\n");
		return 2;
	}
	hp.head_dim = hp.n_embd / hp.n_head;
	hp.rope_dims = hp.head_dim;
	const auto weights = make(path, hp);
	if (!weights) {
		fmt::print(stderr, "make_synthetic: {}\n", weights.error().message);
		return 1;
	}
	if (!imatrix.empty())
		if (const auto made = makeImatrix(imatrix, hp); !made) {
			fmt::print(stderr, "make_synthetic: {}\n", made.error().message);
			return 1;
		}
	fmt::print("{}: {} weights\n", path, formatCount(*weights));
	return 0;
}
