#include "arch/known_shapes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

namespace vkq {

namespace {

using enum Architecture;

// size, name, family, layers, embedding, feed-forward, heads, kv heads, head dim, vocabulary, context, tied, experts, used, expert ff, window
const std::array kShapes{
	ModelShape{"0.1", "SmolLM2 135M", Llama, 30, 576, 1536, 9, 3, 64, 49152, 8192, true},
	ModelShape{"0.3", "Gemma 3 270M", Gemma3, 18, 640, 2048, 4, 1, 256, 262144, 32768, true, 0, 0, 0, 512},
	ModelShape{"0.4", "SmolLM2 360M", Llama, 32, 960, 2560, 15, 5, 64, 49152, 8192, true},
	ModelShape{"0.5", "Qwen2.5 0.5B", Qwen2, 24, 896, 4864, 14, 2, 64, 151936, 32768, true},
	ModelShape{"0.6", "Qwen3 0.6B", Qwen3, 28, 1024, 3072, 16, 8, 128, 151936, 40960, true},
	ModelShape{"1", "Llama 3.2 1B", Llama, 16, 2048, 8192, 32, 8, 64, 128256, 131072, true},
	ModelShape{"1.1", "TinyLlama 1.1B", Llama, 22, 2048, 5632, 32, 4, 64, 32000, 2048, false},
	ModelShape{"1.5", "Qwen2.5 1.5B", Qwen2, 28, 1536, 8960, 12, 2, 128, 151936, 32768, true},
	ModelShape{"1.7", "Qwen3 1.7B", Qwen3, 28, 2048, 6144, 16, 8, 128, 151936, 40960, true},
	ModelShape{"2", "Gemma 2 2B", Gemma2, 26, 2304, 9216, 8, 4, 256, 256000, 8192, true, 0, 0, 0, 4096},
	ModelShape{"3", "Llama 3.2 3B", Llama, 28, 3072, 8192, 24, 8, 128, 128256, 131072, true},
	ModelShape{"3.8", "Phi-3.5 mini", Phi3, 32, 3072, 8192, 32, 32, 96, 32064, 131072, false},
	ModelShape{"4", "Qwen3 4B", Qwen3, 36, 2560, 9728, 32, 8, 128, 151936, 40960, true},
	ModelShape{"7", "Mistral 7B", Llama, 32, 4096, 14336, 32, 8, 128, 32768, 32768, false},
	ModelShape{"8", "Llama 3.1 8B", Llama, 32, 4096, 14336, 32, 8, 128, 128256, 131072, false},
	ModelShape{"9", "Gemma 2 9B", Gemma2, 42, 3584, 14336, 16, 8, 256, 256000, 8192, true, 0, 0, 0, 4096},
	ModelShape{"12", "Gemma 3 12B", Gemma3, 48, 3840, 15360, 16, 8, 256, 262144, 131072, true, 0, 0, 0, 1024},
	ModelShape{"13", "Llama 2 13B", Llama, 40, 5120, 13824, 40, 40, 128, 32000, 4096, false},
	ModelShape{"14", "Qwen3 14B", Qwen3, 40, 5120, 17408, 40, 8, 128, 151936, 40960, false},
	ModelShape{"22", "Mistral Small 22B", Llama, 56, 6144, 16384, 48, 8, 128, 32768, 32768, false},
	ModelShape{"24", "Mistral Small 3 24B", Llama, 40, 5120, 32768, 32, 8, 128, 131072, 32768, false},
	ModelShape{"27", "Gemma 3 27B", Gemma3, 62, 5376, 21504, 32, 16, 128, 262144, 131072, true, 0, 0, 0, 1024},
	ModelShape{"32", "Qwen3 32B", Qwen3, 64, 5120, 25600, 64, 8, 128, 151936, 40960, false},
	ModelShape{"34", "Code Llama 34B", Llama, 48, 8192, 22016, 64, 8, 128, 32000, 16384, false},
	ModelShape{"70", "Llama 3.1 70B", Llama, 80, 8192, 28672, 64, 8, 128, 128256, 131072, false},
	ModelShape{"72", "Qwen2.5 72B", Qwen2, 80, 8192, 29568, 64, 8, 128, 152064, 32768, false},
	ModelShape{"123", "Mistral Large 2", Llama, 88, 12288, 28672, 96, 8, 128, 32768, 131072, false},
	ModelShape{"405", "Llama 3.1 405B", Llama, 126, 16384, 53248, 128, 8, 128, 128256, 131072, false},
	ModelShape{"8x7", "Mixtral 8x7B", Llama, 32, 4096, 14336, 32, 8, 128, 32000, 32768, false, 8, 2},
	ModelShape{"8x22", "Mixtral 8x22B", Llama, 56, 6144, 16384, 48, 8, 128, 32768, 65536, false, 8, 2},
	ModelShape{"30A3", "Qwen3 30B-A3B", Qwen3Moe, 48, 2048, 6144, 32, 4, 128, 151936, 40960, false, 128, 8, 768},
	ModelShape{"235A22", "Qwen3 235B-A22B", Qwen3Moe, 94, 4096, 12288, 64, 4, 128, 151936, 40960, false, 128, 8, 1536},
};

/// What --shape calls a field, and what a GGUF file does.
struct Part {
	std::string_view name, key;
	uint32_t ModelShape::*field;
	bool needed;   // no model is without it
};
constexpr std::array kParts{
	Part{"layers", "block_count", &ModelShape::n_layer, true},
	Part{"embd", "embedding_length", &ModelShape::n_embd, true},
	Part{"ff", "feed_forward_length", &ModelShape::n_ff, true},
	Part{"heads", "attention.head_count", &ModelShape::n_head, true},
	Part{"kv", "attention.head_count_kv", &ModelShape::n_head_kv, false},
	Part{"head_dim", "attention.key_length", &ModelShape::head_dim, false},
	Part{"vocab", "vocab_size", &ModelShape::n_vocab, true},
	Part{"ctx", "context_length", &ModelShape::n_ctx_train, true},
	Part{"experts", "expert_count", &ModelShape::n_expert, false},
	Part{"used", "expert_used_count", &ModelShape::n_expert_used, false},
	Part{"ff_expert", "expert_feed_forward_length", &ModelShape::n_ff_expert, false},
	Part{"window", "attention.sliding_window", &ModelShape::sliding_window, false},
};

constexpr double kSmallestBillions = 0.05, kLargestBillions = 1000.0;

std::optional<double> parseDecimal(std::string_view text) {
	double value = 0;
	const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
	if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
	return value;
}

/// "30B-A3B" -> "30A3", "8X7b" -> "8x7", "7B" -> "7".
std::string canonicalSize(std::string_view size) {
	std::string text;
	for (size_t i = 0; i < size.size(); ++i) {
		const char c = size[i];
		const bool before_active = c == '-' && i + 1 < size.size() && (size[i + 1] == 'A' || size[i + 1] == 'a');
		if (c == 'b' || c == 'B' || c == ' ' || before_active) continue;
		text += c == 'X' ? 'x' : c == 'a' ? 'A' : c;
	}
	return text;
}

std::string knownMixtures() {
	std::string sizes;
	for (const ModelShape& shape : kShapes) {
		if (shape.n_expert) sizes += fmt::format("{}{} ({})", sizes.empty() ? "" : ", ", shape.size, shape.name);
	}
	return sizes;
}

uint64_t parametersOf(const ModelShape& shape) {
	const auto h = hyperparameters(shape);
	return h ? parameterCount(*h) : 0;
}

/// Depth first, then feed-forward width in steps of 256, to come near `parameters`.
ModelShape scaled(const ModelShape& from, double parameters) {
	ModelShape shape = from;
	ModelShape deeper = from;
	++deeper.n_layer;
	const double per_layer = double(parametersOf(deeper)) - double(parametersOf(from));
	const double outside = double(parametersOf(from)) - per_layer * from.n_layer;
	shape.n_layer = uint32_t(std::max(1.0, std::round((parameters - outside) / per_layer)));
	const double per_width = 3.0 * shape.n_embd * shape.n_layer;
	const double missing = parameters - double(parametersOf(shape));
	const double width = std::round((shape.n_ff + missing / per_width) / 256.0) * 256.0;
	shape.n_ff = uint32_t(std::clamp(width, 256.0, 1048576.0));
	return shape;
}

}  // namespace

std::span<const ModelShape> knownShapes() { return kShapes; }

Metadata metadataOf(const ModelShape& shape) {
	Metadata metadata;
	const std::string arch(archName(shape.arch));
	const auto set = [&](std::string_view key, uint32_t value) { metadata.set(fmt::format("{}.{}", arch, key), value); };
	metadata.set("general.architecture", arch);
	for (const Part& part : kParts) if (part.needed || shape.*part.field) set(part.key, shape.*part.field);
	if (shape.head_dim) set("attention.value_length", shape.head_dim);
	metadata.set(fmt::format("{}.attention.layer_norm_rms_epsilon", arch), 1e-5f);
	return metadata;
}

Result<Hyperparameters> hyperparameters(const ModelShape& shape) {
	auto h = readHyperparameters(metadataOf(shape), {}, shape.name);
	if (h) {
		h->tied_embeddings = shape.tied_embeddings;
		return h;
	}
	// Nobody wrote a file: the parts go by the names that they were given by.
	Error error = std::move(h).error();
	for (const Part& part : kParts) {
		for (const std::string& key : {fmt::format("metadata key {}.{} ", archName(shape.arch), part.key), fmt::format("{}.{} ", archName(shape.arch), part.key)}) {
			if (const size_t at = error.message.find(key); at != std::string::npos) error.message.replace(at, key.size() - 1, part.name);
		}
	}
	return error;
}

uint64_t parameterCount(const Hyperparameters& h) {
	uint64_t count = 0;
	for (const TensorInfo& tensor : expectedTensors(h)) count += tensor.elements();
	return count;
}

uint64_t activeParameterCount(const Hyperparameters& h) {
	uint64_t count = 0;
	for (const TensorInfo& tensor : expectedTensors(h)) {
		if (tensor.name == "token_embd.weight" && !h.tied_embeddings) continue;
		count += tensor.dimensions == 3 ? tensor.elements() / h.n_expert * h.n_expert_used : tensor.elements();
	}
	return count;
}

Result<ModelShape> shapeForSize(std::string_view size) {
	const std::string wanted = canonicalSize(size);
	for (const ModelShape& shape : kShapes) if (shape.size == wanted) return shape;

	if (wanted.find_first_not_of("0123456789.xA") == std::string::npos && wanted.find_first_of("xA") != std::string::npos) {
		return fail(ErrorCode::kUsage, fmt::format("no mixture of experts of size '{}' is known", size),
		            fmt::format("known: {}; or give --shape layers=..,embd=..,experts=..,used=..", knownMixtures()));
	}
	const auto billions = parseDecimal(wanted);
	if (!billions) {
		return fail(ErrorCode::kUsage, fmt::format("'{}' is no model size", size), "a size is billions of parameters: 7, 0.5, 8x7, 30A3");
	}
	if (!(*billions >= kSmallestBillions && *billions <= kLargestBillions)) {
		return fail(ErrorCode::kUsage, fmt::format("a model of {} billion parameters is outside {} to {}", wanted, kSmallestBillions, kLargestBillions),
		            "--params counts billions: 0.5 is 500 million");
	}

	const ModelShape* nearest = nullptr;
	double nearest_ratio = 0;
	for (const ModelShape& shape : kShapes) {
		if (shape.n_expert) continue;
		const double ratio = std::abs(std::log(double(parametersOf(shape)) / (*billions * 1e9)));
		if (!nearest || ratio < nearest_ratio) nearest = &shape, nearest_ratio = ratio;
	}
	// "6.7" or "0.135" name the published size itself: within 2 %, the real model is the better answer.
	if (nearest_ratio < 0.02) return *nearest;
	ModelShape shape = scaled(*nearest, *billions * 1e9);
	shape.name = fmt::format("{} B, scaled from {}", wanted, nearest->name);
	shape.size = wanted;
	return shape;
}

Result<ModelShape> overrideShape(ModelShape shape, std::string_view overrides) {
	constexpr std::string_view kHint = "parts: arch, layers, embd, ff, heads, kv, head_dim, vocab, ctx, tied, experts, used, ff_expert, window";
	std::set<std::string_view> given;
	for (size_t at = 0; at <= overrides.size();) {
		const size_t comma = std::min(overrides.find(',', at), overrides.size());
		const std::string_view part = overrides.substr(at, comma - at);
		at = comma + 1;
		const size_t equals = part.find('=');
		if (equals == std::string_view::npos) return fail(ErrorCode::kUsage, fmt::format("--shape: '{}' is not of the form name=value", part), std::string(kHint));
		const std::string_view name = part.substr(0, equals), text = part.substr(equals + 1);
		if (name == "arch") {
			const auto arch = archFromName(text);
			if (!arch) return fail(ErrorCode::kUsage, fmt::format("--shape: architecture '{}' is not supported", text), "supported: " + supportedArchNames());
			shape.arch = *arch;
			continue;
		}
		uint32_t value = 0;
		const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
		if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
			return fail(ErrorCode::kUsage, fmt::format("--shape: {} is '{}', which is not a whole number", name, text), std::string(kHint));
		}
		if (name == "tied") {
			shape.tied_embeddings = value != 0;
			continue;
		}
		const auto known = std::find_if(kParts.begin(), kParts.end(), [&](const Part& p) { return p.name == name; });
		if (known == kParts.end()) return fail(ErrorCode::kUsage, fmt::format("--shape has no part '{}'", name), std::string(kHint));
		shape.*known->field = value;
		given.insert(name);
	}
	if ((given.contains("embd") || given.contains("heads")) && !given.contains("head_dim")) shape.head_dim = 0;   // follows them
	if (shape.name.empty()) {
		std::string missing;
		for (const Part& part : kParts) if (part.needed && !given.contains(part.name)) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", part.name);
		if (!missing.empty()) {
			return fail(ErrorCode::kUsage, fmt::format("--shape: without --params it must say {} too", missing), "for example --shape layers=32,embd=4096,ff=14336,heads=32,kv=8,vocab=32000,ctx=8192");
		}
	}
	shape.name = shape.name.empty() ? "given shape" : shape.name + ", reshaped";
	return shape;
}

}  // namespace vkq
