// Makes tiny Hugging Face models of every family, correct or wrong on purpose, independently of the code that reads them.
#pragma once

#include "core/half.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vkq::test {

using nlohmann::json;

struct StoredImage {
	std::string type;              // "BF16"
	std::vector<uint64_t> shape;
	std::vector<std::byte> bytes;
};
using StoredImages = std::map<std::string, StoredImage>;

inline std::vector<std::byte> bytesOf(std::string_view text) {
	const auto* first = reinterpret_cast<const std::byte*>(text.data());
	return {first, first + text.size()};
}

/// A file of any header, right or wrong.
inline std::vector<std::byte> safetensorsFile(std::string_view header, size_t data_bytes = 0) {
	const uint64_t length = header.size();
	std::vector<std::byte> file(8);
	std::memcpy(file.data(), &length, 8);
	const auto text = bytesOf(header);
	file.insert(file.end(), text.begin(), text.end());
	file.resize(file.size() + data_bytes);
	return file;
}

inline std::vector<std::byte> safetensorsFile(const StoredImages& tensors) {
	json header;
	std::vector<std::byte> data;
	for (const auto& [name, tensor] : tensors) {
		header[name] = {{"dtype", tensor.type}, {"shape", tensor.shape}, {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
		data.insert(data.end(), tensor.bytes.begin(), tensor.bytes.end());
	}
	header["__metadata__"] = {{"format", "pt"}};
	std::vector<std::byte> file = safetensorsFile(header.dump());
	file.insert(file.end(), data.begin(), data.end());
	return file;
}

inline StoredImage floats(std::vector<uint64_t> shape, const std::vector<float>& values, std::string type = "F32") {
	StoredImage image{std::move(type), std::move(shape), {}};
	for (const float value : values) {
		const uint16_t half = image.type == "BF16" ? floatToBfloat(value) : floatToHalf(value);
		const void* from = image.type == "F32" ? static_cast<const void*>(&value) : &half;
		const auto* first = static_cast<const std::byte*>(from);
		image.bytes.insert(image.bytes.end(), first, first + (image.type == "F32" ? 4 : 2));
	}
	return image;
}

/// Values that tell every element of every tensor from the others, exact in bfloat16 within a row.
inline StoredImage numbered(std::vector<uint64_t> shape, float first, std::string type = "BF16") {
	uint64_t count = 1;
	for (const uint64_t length : shape) count *= length;
	std::vector<float> values(count);
	const uint64_t columns = shape.back();
	for (uint64_t i = 0; i < count; ++i) values[i] = first + float(i / columns) + float(i % columns) / 64.0f;
	return floats(std::move(shape), values, std::move(type));
}

/// Byte-level BPE with one merge, as llama 3 has it; tokens beyond the first four are "tN".
inline json tinyTokenizer(uint64_t n_vocab) {
	json vocab = {{"<|begin|>", 0}, {"a", 1}, {"b", 2}, {"ab", 3}};
	for (uint64_t id = 4; id < n_vocab; ++id) vocab["t" + std::to_string(id)] = id;
	return {{"added_tokens", {{{"id", 0}, {"content", "<|begin|>"}, {"special", true}}}},
	        {"pre_tokenizer",
	         {{"type", "Sequence"},
	          {"pretokenizers",
	           {{{"type", "Split"},
	             {"pattern", {{"Regex", R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"}}}},
	            {{"type", "ByteLevel"}, {"use_regex", false}}}}}},
	        {"model", {{"type", "BPE"}, {"ignore_merges", true}, {"vocab", vocab}, {"merges", {"a b"}}}}};
}

/// Width 8, one layer, two heads of four over one key/value head, feed-forward 12, 16 tokens.
struct TinyModel {
	json config;
	json tokenizer = tinyTokenizer(16);
	StoredImages tensors;
	std::map<std::string, std::string> files;   // further ones, by name

	static constexpr uint64_t kEmbd = 8, kHeads = 2, kKvHeads = 1, kHead = 4, kFf = 12, kVocab = 16, kExperts = 3, kExpertFf = 6;

	explicit TinyModel(const std::string& architecture, const std::string& model_type) {
		config = {{"architectures", {architecture}}, {"model_type", model_type}, {"hidden_size", kEmbd}, {"num_hidden_layers", 1},
		          {"num_attention_heads", kHeads}, {"num_key_value_heads", kKvHeads}, {"head_dim", kHead}, {"intermediate_size", kFf},
		          {"vocab_size", kVocab}, {"max_position_embeddings", 64}, {"rms_norm_eps", 1e-5}, {"rope_theta", 10000.0}, {"bos_token_id", 0}};
		add("model.embed_tokens.weight", {kVocab, kEmbd});
		add("model.norm.weight", {kEmbd});
		add("lm_head.weight", {kVocab, kEmbd});
		layer("input_layernorm.weight", {kEmbd});
		layer("post_attention_layernorm.weight", {kEmbd});
		layer("self_attn.o_proj.weight", {kEmbd, kHeads * kHead});
	}

	void add(const std::string& name, std::vector<uint64_t> shape) { tensors[name] = numbered(std::move(shape), float(tensors.size()) * 4.0f); }
	void layer(const std::string& name, std::vector<uint64_t> shape) { add("model.layers.0." + name, std::move(shape)); }

	void addAttention() {
		layer("self_attn.q_proj.weight", {kHeads * kHead, kEmbd});
		layer("self_attn.k_proj.weight", {kKvHeads * kHead, kEmbd});
		layer("self_attn.v_proj.weight", {kKvHeads * kHead, kEmbd});
	}
	void addFeedForward() {
		layer("mlp.gate_proj.weight", {kFf, kEmbd});
		layer("mlp.up_proj.weight", {kFf, kEmbd});
		layer("mlp.down_proj.weight", {kEmbd, kFf});
	}
	void addHeadNorms() {
		layer("self_attn.q_norm.weight", {kHead});
		layer("self_attn.k_norm.weight", {kHead});
	}

	void write(const std::filesystem::path& folder) const {
		std::filesystem::create_directories(folder);
		const auto put = [&](const std::string& name, const std::vector<std::byte>& bytes) {
			std::ofstream(folder / name, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
		};
		put("config.json", bytesOf(config.dump()));
		if (!tokenizer.is_null()) put("tokenizer.json", bytesOf(tokenizer.dump()));
		put("model.safetensors", safetensorsFile(tensors));
		for (const auto& [name, text] : files) put(name, bytesOf(text));
	}
};

inline TinyModel tinyLlama() {
	TinyModel model("LlamaForCausalLM", "llama");
	model.addAttention();
	model.addFeedForward();
	return model;
}

inline TinyModel tinyMixtral() {
	TinyModel model("MixtralForCausalLM", "mixtral");
	model.config["num_local_experts"] = TinyModel::kExperts;
	model.config["num_experts_per_tok"] = 2;
	model.addAttention();
	model.layer("block_sparse_moe.gate.weight", {TinyModel::kExperts, TinyModel::kEmbd});
	for (uint64_t expert = 0; expert < TinyModel::kExperts; ++expert) {
		const std::string name = "block_sparse_moe.experts." + std::to_string(expert);
		model.layer(name + ".w1.weight", {TinyModel::kFf, TinyModel::kEmbd});
		model.layer(name + ".w2.weight", {TinyModel::kEmbd, TinyModel::kFf});
		model.layer(name + ".w3.weight", {TinyModel::kFf, TinyModel::kEmbd});
	}
	return model;
}

inline TinyModel tinyQwen3Moe() {
	TinyModel model("Qwen3MoeForCausalLM", "qwen3_moe");
	model.config["num_experts"] = TinyModel::kExperts;
	model.config["num_experts_per_tok"] = 2;
	model.config["moe_intermediate_size"] = TinyModel::kExpertFf;
	model.addAttention();
	model.addHeadNorms();
	model.layer("mlp.gate.weight", {TinyModel::kExperts, TinyModel::kEmbd});
	model.layer("mlp.experts.gate_up_proj", {TinyModel::kExperts, 2 * TinyModel::kExpertFf, TinyModel::kEmbd});
	model.layer("mlp.experts.down_proj", {TinyModel::kExperts, TinyModel::kEmbd, TinyModel::kExpertFf});
	return model;
}

inline TinyModel tinyGemma3() {
	TinyModel model("Gemma3ForCausalLM", "gemma3_text");
	model.config["sliding_window"] = 16;
	model.tensors.erase("lm_head.weight");
	model.addAttention();
	model.addHeadNorms();
	model.addFeedForward();
	model.layer("pre_feedforward_layernorm.weight", {TinyModel::kEmbd});
	model.layer("post_feedforward_layernorm.weight", {TinyModel::kEmbd});
	return model;
}

inline TinyModel tinyPhi3() {
	TinyModel model("Phi3ForCausalLM", "phi3");
	model.layer("self_attn.qkv_proj.weight", {(TinyModel::kHeads + 2 * TinyModel::kKvHeads) * TinyModel::kHead, TinyModel::kEmbd});
	model.layer("mlp.gate_up_proj.weight", {2 * TinyModel::kFf, TinyModel::kEmbd});
	model.layer("mlp.down_proj.weight", {TinyModel::kEmbd, TinyModel::kFf});
	return model;
}

}  // namespace vkq::test
