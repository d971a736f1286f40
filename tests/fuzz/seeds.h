// Small valid files of every kind that is parsed. A new parser adds its seeds here and a vkq_fuzzer() to CMakeLists.txt.
#pragma once

#include "ggufio/gguf_layout.h"
#include "tests/ggufio/gguf_image.h"
#include "tests/ggufio/huggingface_model.h"
#include "tests/ggufio/sentencepiece_image.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vkq::test {

using Seeds = std::map<std::string, std::vector<std::byte>>;   // file name -> contents

inline std::vector<std::byte> splitShardImage() {
	GgufImage image;
	image.header(1, 3).key("split.no", MetaType::U16).put<uint16_t>(1).key("split.count", MetaType::U16).put<uint16_t>(2);
	image.key("split.tensors.count", MetaType::I32).put<int32_t>(2).tensor("blk.0.ffn_up.weight", {32, 1}, TensorType::Q8_0, 0).pad().zeros(64);
	return image.bytes;
}

/// The smallest llama that the model reader accepts: its numbers are what there is to damage.
inline std::vector<std::byte> tinyLlamaImage() {
	GgufImage image;
	image.header(12, 11);
	image.key("general.architecture", MetaType::String).text("llama");
	const auto number = [&](std::string_view key, uint32_t value) { image.key(key, MetaType::U32).put(value); };
	number("llama.context_length", 64);
	number("llama.embedding_length", 32);
	number("llama.block_count", 1);
	number("llama.feed_forward_length", 32);
	number("llama.attention.head_count", 2);
	number("llama.attention.head_count_kv", 1);
	number("llama.rope.dimension_count", 16);
	number("llama.vocab_size", 4);
	image.key("llama.attention.layer_norm_rms_epsilon", MetaType::F32).put<float>(1e-5f);
	image.array("tokenizer.ggml.tokens", MetaType::String, 4).text("a").text("b").text("c").text("d");
	uint64_t offset = 0;
	const auto matrix = [&](std::string_view name, uint64_t rows) {
		image.tensor(name, {32, rows}, TensorType::F16, offset);
		offset += 64 * rows;
	};
	const auto vector = [&](std::string_view name) {
		image.tensor(name, {32}, TensorType::F32, offset);
		offset += 128;
	};
	matrix("token_embd.weight", 4);
	vector("output_norm.weight");
	matrix("output.weight", 4);
	vector("blk.0.attn_norm.weight");
	matrix("blk.0.attn_q.weight", 32);
	matrix("blk.0.attn_k.weight", 16);
	matrix("blk.0.attn_v.weight", 16);
	matrix("blk.0.attn_output.weight", 32);
	vector("blk.0.ffn_norm.weight");
	matrix("blk.0.ffn_gate.weight", 32);
	matrix("blk.0.ffn_up.weight", 32);
	matrix("blk.0.ffn_down.weight", 32);
	image.pad().zeros(offset);
	return image.bytes;
}

inline std::vector<std::byte> imatrixImage() {
	GgufImage image;
	image.header(2, 3).array("imatrix.datasets", MetaType::String, 1).text("d");
	image.key("imatrix.chunk_count", MetaType::U32).put<uint32_t>(1).key("imatrix.chunk_size", MetaType::U32).put<uint32_t>(512);
	image.tensor("w.in_sum2", {4, 2}, TensorType::F32, 0).tensor("w.counts", {1, 2}, TensorType::F32, 32).pad();
	for (float value : {1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f, 2.f, 0.f}) image.put(value);
	return image.bytes;
}

inline std::vector<std::byte> legacyImatrixImage() {
	GgufImage image;   // two entries (name, calls, values), then chunks and data set
	image.put<int32_t>(2);
	image.put<int32_t>(1).raw("v").put<int32_t>(2).put<int32_t>(3).put<float>(2).put<float>(4).put<float>(6);
	image.put<int32_t>(1).raw("w").put<int32_t>(0).put<int32_t>(1).put<float>(2);
	image.put<int32_t>(2).put<int32_t>(1).raw("d");
	return image.bytes;
}

/// A file of metadata alone.
inline std::vector<std::byte> metadataImage(const Metadata& metadata) {
	const auto layout = layOutGguf(metadata, {});
	return layout.ok() ? ggufHeader(metadata, *layout) : std::vector<std::byte>();
}

inline std::vector<std::byte> bytePairImage(const std::string& pre_tokenizer) {
	Metadata metadata;
	metadata.set("tokenizer.ggml.model", std::string("gpt2"));
	metadata.set("tokenizer.ggml.pre", pre_tokenizer);
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::vector<std::string>{"a", "b", "\xC4\xA0", "ab", "\xC4\xA0" "ab", "<|im_end|>", "<x>", "\n\n"}));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>{1, 1, 1, 1, 1, 3, 4, 4}));
	metadata.set("tokenizer.ggml.merges", MetaArray(std::vector<std::string>{"a b", "\xC4\xA0 ab"}));
	metadata.set("tokenizer.ggml.eos_token_id", uint32_t(5));
	metadata.set("tokenizer.ggml.add_bos_token", false);
	metadata.set("tokenizer.chat_template", std::string("<|im_start|>"));
	return metadataImage(metadata);
}

inline std::vector<std::byte> sentencePieceImage() {
	Metadata metadata;
	metadata.set("general.architecture", std::string("phi3"));
	metadata.set("tokenizer.ggml.model", std::string("llama"));
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::vector<std::string>{"<unk>", "<s>", "</s>", "<0x41>", "a", "b", "ab", "\xE2\x96\x81", "\xE2\x96\x81" "ab"}));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::vector<int32_t>{2, 3, 3, 6, 1, 1, 1, 1, 1}));
	metadata.set("tokenizer.ggml.scores", MetaArray(std::vector<float>{0, 0, 0, 0, -4, -3, -2, -1, -0.5f}));
	metadata.set("tokenizer.ggml.add_space_prefix", true);
	return metadataImage(metadata);
}

inline std::vector<std::byte> textBytes(std::string_view text) {
	const auto* first = reinterpret_cast<const std::byte*>(text.data());
	return {first, first + text.size()};
}

inline std::vector<std::byte> safetensorsImage() {
	return safetensorsFile({{"b", numbered({3, 4}, 1.0f)}, {"a", numbered({5}, 2.0f, "F32")}, {"scalar", floats({}, {7.0f})}, {"empty", {"F16", {0, 4}, {}}}});
}

inline std::string configText(std::string_view architecture, std::string_view more) {
	return R"({"architectures":[")" + std::string(architecture) + R"("],"hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,)"
	       R"("num_key_value_heads":2,"vocab_size":8,"max_position_embeddings":256,"rms_norm_eps":1e-05,"hidden_act":"silu")" + std::string(more) + "}";
}

inline Seeds configSeeds() {
	return {
	    {"llama3", textBytes(configText("LlamaForCausalLM", R"(,"rope_theta":5e5,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":128})"))},
	    {"mixtral", textBytes(configText("MixtralForCausalLM", R"(,"num_local_experts":4,"num_experts_per_tok":2)"))},
	    {"qwen3moe", textBytes(configText("Qwen3MoeForCausalLM", R"(,"head_dim":16,"num_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":32,"rope_parameters":{"rope_theta":1e6,"rope_type":"default"})"))},
	    {"gemma3", textBytes(configText("Gemma3ForCausalLM", R"(,"head_dim":16,"sliding_window":64,"sliding_window_pattern":6,"rope_local_base_freq":1e4)"))},
	    {"phi3", textBytes(configText("Phi3ForCausalLM", R"(,"original_max_position_embeddings":128,"rope_scaling":{"type":"longrope","long_factor":[1,1,1,1,1,1,1,1],"short_factor":[1,1,1,1,1,1,1,1]})"))},
	    {"fp8", textBytes(configText("LlamaForCausalLM", R"(,"quantization_config":{"quant_method":"fp8","weight_block_size":[32,32]},"tie_word_embeddings":true)"))},
	};
}

/// config.json, a NUL, and the safetensors file: what huggingface_fuzz takes.
inline std::vector<std::byte> huggingFaceImage(const TinyModel& model) {
	std::vector<std::byte> image = textBytes(model.config.dump());
	image.push_back(std::byte(0));
	const std::vector<std::byte> tensors = safetensorsFile(model.tensors);
	image.insert(image.end(), tensors.begin(), tensors.end());
	return image;
}

inline std::vector<std::byte> fp8Image() {
	TinyModel model = tinyLlama();
	model.config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {5, 5}}};
	const std::string name = "model.layers.0.self_attn.o_proj.weight";
	model.tensors[name] = {"F8_E4M3", {8, 8}, std::vector<std::byte>(64, std::byte(0x38))};
	model.tensors[name + "_scale_inv"] = floats({2, 2}, {1.0f, 2.0f, 3.0f, 4.0f});
	return huggingFaceImage(model);
}

inline Seeds huggingFaceSeeds() {
	TinyModel phi = tinyPhi3();
	phi.config["rope_scaling"] = {{"type", "longrope"}, {"long_factor", {2.0, 3.0}}, {"short_factor", {1.0, 1.5}}};
	TinyModel llama = tinyLlama();
	llama.config["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"original_max_position_embeddings", 32}};
	return {{"llama", huggingFaceImage(llama)},         {"mixtral", huggingFaceImage(tinyMixtral())}, {"qwen3moe", huggingFaceImage(tinyQwen3Moe())},
	        {"gemma3", huggingFaceImage(tinyGemma3())}, {"phi3", huggingFaceImage(phi)},              {"fp8", fp8Image()}};
}

inline Seeds modelfileSeeds() {
	return {{"all", textBytes("FROM ./m.gguf\n# c\nTEMPLATE \"\"\"{{ .Prompt }}\nx\"\"\"\nSYSTEM \"a\nb\"\nPARAMETER stop \"</s>\"\nMESSAGE user hi\n")}};
}

inline std::map<std::string, Seeds> allSeeds() {
	return {
	    {"gguf", {{"v2", smallImage(2).bytes}, {"v3", smallImage(3).bytes}, {"shard", splitShardImage()}, {"llama", tinyLlamaImage()}, {"imatrix", imatrixImage()}}},
	    {"imatrix", {{"gguf", imatrixImage()}, {"legacy", legacyImatrixImage()}}},
	    {"safetensors", {{"small", safetensorsImage()}}},
	    {"huggingface", huggingFaceSeeds()},
	    {"huggingface_config", configSeeds()},
	    {"modelfile", modelfileSeeds()},
	    {"tokenizer_json", {{"bpe", textBytes(tinyTokenizer(8).dump())}}},
	    {"sentencepiece", {{"small", textBytes(smallSentencePieceImage())}}},
	    {"tokenizer", {{"llama3", bytePairImage("llama-bpe")}, {"deepseek", bytePairImage("deepseek-llm")}, {"spm", sentencePieceImage()}}},
	    {"modelfile_template",
	     {{"turns", textBytes("{{ if .System }}<s>{{ .System }}{{ end }}{{- /* c */ -}} {{ .Prompt }}<a>{{ .Response }}")},
	      {"chat", textBytes("{{ range .Messages }}{{ if eq .Role \"user\" }}{{ .Content }}{{ else if and (ne .Role `x`) .Content }}{{ $.System }}{{ else }}-{{ end }}{{ end }}")}}},
	};
}

}  // namespace vkq::test
