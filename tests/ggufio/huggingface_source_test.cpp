#include "ggufio/model_source.h"

#include "huggingface_model.h"
#include "write_source.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <set>

using namespace vkq;
using namespace vkq::test;

namespace {

namespace fs = std::filesystem;

const fs::path kModels = fs::path(VKQ_SOURCE_DIR) / "models";

/// A model on disk and opened; its error where it does not open.
class Opened {
public:
	explicit Opened(const TinyModel& model, const std::string& name = "") {
		model.write(folder_ / "tiny");
		source_ = std::make_unique<Result<std::unique_ptr<ModelSource>>>(openModelSource(folder_ / "tiny" / name));
	}

	bool ok() const { return source_->ok(); }
	/// Without the folder's name, which differs from run to run.
	std::string error() const {
		if (ok()) return "(no error)";
		std::string text = source_->error().message;
		const std::string folder = folder_.path().string() + "/";
		for (size_t at = text.find(folder); at != text.npos; at = text.find(folder)) text.erase(at, folder.size());
		return text;
	}
	std::string hint() const { return ok() ? "" : source_->error().hint; }
	const ModelSource& operator*() const { return *source_->value(); }
	const ModelSource* operator->() const { return source_->value().get(); }

	std::optional<size_t> index(std::string_view name) const {
		const auto tensors = (**this).tensors();
		for (size_t i = 0; i < tensors.size(); ++i)
			if (tensors[i].name == name) return i;
		return std::nullopt;
	}
	const TensorInfo& info(std::string_view name) const { return (**this).tensors()[index(name).value()]; }

	/// All elements as numbers.
	std::vector<float> values(std::string_view name) const {
		const auto bytes = rowsAs(**this, index(name).value(), TensorType::F32);
		std::vector<float> out(bytes->size() / 4);
		std::memcpy(out.data(), bytes->data(), bytes->size());
		return out;
	}

private:
	TempFolder folder_;
	std::unique_ptr<Result<std::unique_ptr<ModelSource>>> source_;
};

/// Elements of a stored image, rows picked in an order.
std::vector<float> rowsOf(const StoredImage& image, const std::vector<size_t>& rows) {
	std::vector<float> out;
	const size_t columns = image.shape.back();
	for (const size_t row : rows) {
		for (size_t column = 0; column < columns; ++column) {
			uint16_t half;
			std::memcpy(&half, image.bytes.data() + 2 * (row * columns + column), 2);
			out.push_back(bfloatToFloat(half));
		}
	}
	return out;
}

std::vector<size_t> inOrder(size_t first, size_t count) {
	std::vector<size_t> rows(count);
	std::iota(rows.begin(), rows.end(), first);
	return rows;
}

/// Of model.gguf over text.txt, both in `folder`; 0 when the peer fails.
double peerPerplexity(const std::string& peer, const fs::path& folder) {
	const std::string command = "cd '" + folder.string() + "' && timeout 60 " + peer +
	                            " llama-perplexity -m model.gguf -f text.txt -c 256 --chunks 2 -dev none -ngl 0 -t 2 > log 2>&1";
	// The peer's log loses its last lines now and then.
	for (int attempt = 0; attempt < 10; ++attempt) {
		if (std::system(command.c_str()) != 0) break;
		const std::vector<std::byte> log = readFile(folder / "log");
		const std::string text(reinterpret_cast<const char*>(log.data()), log.size());
		if (const size_t found = text.find("PPL = "); found != text.npos) return std::strtod(text.c_str() + found + 6, nullptr);
	}
	return 0.0;
}

template <class T>
std::vector<T> operator+(std::vector<T> a, const std::vector<T>& b) {
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

}  // namespace

TEST(HuggingFaceSource, GivesTheSameTensorsAsAnIndependentConversionOfTheSample) {
	const auto source = openModelSource(kModels / "orator-6m");
	ASSERT_TRUE(source.ok()) << source.error().message;
	const auto reference = openModelSource(kModels / "orator-6m-f16.gguf");
	ASSERT_TRUE(reference.ok());
	const auto ours = (*source)->tensors(), theirs = (*reference)->tensors();
	ASSERT_EQ(ours.size(), theirs.size());
	for (size_t i = 0; i < ours.size(); ++i) {
		EXPECT_EQ(ours[i].name, theirs[i].name);
		EXPECT_EQ(ours[i].ne, theirs[i].ne) << ours[i].name;
		EXPECT_EQ(ours[i].dimensions, theirs[i].dimensions) << ours[i].name;
		const auto our_bytes = rowsAs(**source, i, TensorType::F16), their_bytes = rowsAs(**reference, i, TensorType::F16);
		ASSERT_TRUE(our_bytes.ok()) << our_bytes.error().message;
		EXPECT_TRUE(*our_bytes == *their_bytes) << ours[i].name;
	}
}

TEST(HuggingFaceSource, GivesTheSameMetadataAsAnIndependentConversionOfTheSample) {
	const auto source = openModelSource(kModels / "orator-6m");
	ASSERT_TRUE(source.ok()) << source.error().message;
	const auto reference = openModelSource(kModels / "orator-6m-f16.gguf");
	ASSERT_TRUE(reference.ok());
	const Metadata& ours = (*source)->metadata();
	std::set<std::string> more;
	for (const MetaEntry& entry : ours.entries()) more.insert(entry.key);
	for (const MetaEntry& entry : (*reference)->metadata().entries()) {
		const MetaValue* value = ours.find(entry.key);
		ASSERT_NE(value, nullptr) << entry.key;
		if (entry.key == "general.file_type") EXPECT_EQ(*value, MetaValue(uint32_t(32)));   // the source is in bfloat16
		else EXPECT_TRUE(*value == entry.value) << entry.key;
		more.erase(entry.key);
	}
	EXPECT_EQ(more, (std::set<std::string>{"general.type", "general.size_label", "llama.attention.key_length", "llama.attention.value_length"}));
	EXPECT_EQ(ours.string("general.size_label"), "5.8M");
	EXPECT_TRUE((*source)->warnings().empty());
}

TEST(HuggingFaceSource, InterleavesTheHalvesOfLlamasQueryAndKeyHeads) {
	TinyModel model = tinyLlama();
	model.add("model.layers.0.self_attn.k_proj.bias", {4});
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	EXPECT_EQ(source.values("blk.0.attn_q.weight"), rowsOf(model.tensors["model.layers.0.self_attn.q_proj.weight"], {0, 2, 1, 3, 4, 6, 5, 7}));
	EXPECT_EQ(source.values("blk.0.attn_k.weight"), rowsOf(model.tensors["model.layers.0.self_attn.k_proj.weight"], {0, 2, 1, 3}));
	EXPECT_EQ(source.values("blk.0.attn_v.weight"), rowsOf(model.tensors["model.layers.0.self_attn.v_proj.weight"], {0, 1, 2, 3}));
	const std::vector<float> bias = rowsOf(model.tensors["model.layers.0.self_attn.k_proj.bias"], {0});
	EXPECT_EQ(source.values("blk.0.attn_k.bias"), (std::vector<float>{bias[0], bias[2], bias[1], bias[3]}));
	EXPECT_EQ(source.info("blk.0.attn_k.bias").type, TensorType::F32);
}

TEST(HuggingFaceSource, MapsWhatIsStoredAsItShallBe) {
	const TinyModel model = tinyLlama();
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	const auto mapped = [&](std::string_view name) { return source->mapped(source.index(name).value()); };
	const auto& embedding = model.tensors.at("model.embed_tokens.weight").bytes;
	EXPECT_TRUE(std::equal(embedding.begin(), embedding.end(), mapped("token_embd.weight").begin(), mapped("token_embd.weight").end()));
	EXPECT_TRUE(mapped("blk.0.attn_q.weight").empty());       // permuted
	EXPECT_TRUE(mapped("blk.0.attn_norm.weight").empty());    // widened
}

TEST(HuggingFaceSource, StacksExpertsAndReadsAcrossThem) {
	const TinyModel model = tinyMixtral();
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	EXPECT_EQ(source->metadata().unsignedInt("llama.expert_count"), 3u);
	EXPECT_EQ(source->metadata().unsignedInt("llama.expert_used_count"), 2u);
	const std::vector<size_t> rows = inOrder(0, TinyModel::kFf);
	std::vector<float> expected;
	for (int expert = 0; expert < 3; ++expert)
		expected = expected + rowsOf(model.tensors.at("model.layers.0.block_sparse_moe.experts." + std::to_string(expert) + ".w3.weight"), rows);
	EXPECT_EQ(source.values("blk.0.ffn_up_exps.weight"), expected);
	const TensorInfo& info = source.info("blk.0.ffn_up_exps.weight");
	EXPECT_EQ(info.ne, (std::array<uint64_t, 4>{8, 12, 3, 1}));
	EXPECT_EQ(source.info("blk.0.ffn_down_exps.weight").ne, (std::array<uint64_t, 4>{12, 8, 3, 1}));
	EXPECT_EQ(source.info("blk.0.ffn_gate_inp.weight").type, TensorType::F32);

	// Rows 10 to 26 begin in the first expert and end in the third.
	std::vector<std::byte> part(16 * info.rowBytes()), whole(info.bytes);
	const size_t index = source.index("blk.0.ffn_up_exps.weight").value();
	ASSERT_TRUE(source->readRows(index, 10, 16, part.data()).ok());
	ASSERT_TRUE(source->readRows(index, 0, info.rows(), whole.data()).ok());
	EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + std::ptrdiff_t(10 * info.rowBytes())));
	source->willNeed(index, 10, 16);
	source->doneWith(index, 10, 16);
}

TEST(HuggingFaceSource, TakesFusedExpertsApart) {
	const TinyModel model = tinyQwen3Moe();
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	const StoredImage& fused = model.tensors.at("model.layers.0.mlp.experts.gate_up_proj");
	EXPECT_EQ(source.values("blk.0.ffn_gate_exps.weight"), rowsOf(fused, inOrder(0, 6) + inOrder(12, 6) + inOrder(24, 6)));
	EXPECT_EQ(source.values("blk.0.ffn_up_exps.weight"), rowsOf(fused, inOrder(6, 6) + inOrder(18, 6) + inOrder(30, 6)));
	EXPECT_EQ(source.values("blk.0.ffn_down_exps.weight"), rowsOf(model.tensors.at("model.layers.0.mlp.experts.down_proj"), inOrder(0, 24)));
	EXPECT_EQ(source->metadata().unsignedInt("qwen3moe.expert_feed_forward_length"), 6u);
}

TEST(HuggingFaceSource, AddsOneToGemmasNorms) {
	const TinyModel model = tinyGemma3();
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	for (const auto& [stored, ours] : {std::pair("model.norm.weight", "output_norm.weight"),
	    {"model.layers.0.self_attn.q_norm.weight", "blk.0.attn_q_norm.weight"},
	                                   {"model.layers.0.post_feedforward_layernorm.weight", "blk.0.post_ffw_norm.weight"}}) {
		std::vector<float> expected = rowsOf(model.tensors.at(stored), {0});
		for (float& value : expected) value += 1.0f;
		EXPECT_EQ(source.values(ours), expected) << ours;
	}
	EXPECT_FALSE(source.index("output.weight"));
	EXPECT_EQ(source->metadata().number("gemma3.rope.freq_base"), 10000.0);
	EXPECT_EQ(source->metadata().unsignedInt("gemma3.attention.sliding_window"), 16u);
}

TEST(HuggingFaceSource, FindsTheLanguageModelInAMultimodalOne) {
	const TinyModel text = tinyGemma3();
	for (const std::string front : {"language_model.", "model.language_model."}) {
		TinyModel model = tinyGemma3();
		model.tensors.clear();
		for (const auto& [name, image] : text.tensors) model.tensors[front == "language_model." ? front + name : front + name.substr(6)] = image;
		model.tensors["vision_tower.patch.weight"] = numbered({2, 2}, 0.0f);
		model.tensors["multi_modal_projector.norm.weight"] = numbered({2}, 0.0f);
		json inner = text.config;
		inner.erase("architectures");
		for (const char* is_default : {"head_dim", "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
		    "rope_theta"}) inner.erase(is_default);
		inner["head_dim"] = 4;
		inner["num_attention_heads"] = 2;
		inner["num_key_value_heads"] = 1;
		inner["rope_scaling"] = {{"rope_type", "linear"}, {"factor", 8.0}};
		model.config = {{"architectures", {"Gemma3ForConditionalGeneration"}}, {"model_type", "gemma3"}, {"text_config", inner},
		    {"vision_config", {{"hidden_size", 99}}}};
		const Opened source(model), plain(text);
		ASSERT_TRUE(source.ok()) << source.error();
		EXPECT_EQ(source->tensors().size(), plain->tensors().size());
		EXPECT_EQ(source.values("blk.0.ffn_up.weight"), plain.values("blk.0.ffn_up.weight"));
		EXPECT_EQ(source->metadata().unsignedInt("gemma3.context_length"), 131072u);
		EXPECT_EQ(source->metadata().string("gemma3.rope.scaling.type"), "linear");
		EXPECT_EQ(source->metadata().number("gemma3.rope.freq_base"), 1e6);
	}
}

TEST(HuggingFaceSource, KeepsPhi3sFusedMatricesAndWritesItsFactors) {
	TinyModel model = tinyPhi3();
	model.config["original_max_position_embeddings"] = 32;
	model.config["rope_scaling"] = {{"type", "su"}, {"long_factor", {2.0, 3.0}}, {"short_factor", {1.0, 1.5}}};
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	EXPECT_EQ(source.info("blk.0.attn_qkv.weight").ne, (std::array<uint64_t, 4>{8, 16, 1, 1}));
	EXPECT_EQ(source.info("blk.0.ffn_up.weight").ne, (std::array<uint64_t, 4>{8, 24, 1, 1}));
	EXPECT_EQ(source.values("rope_factors_long.weight"), (std::vector<float>{2.0f, 3.0f}));
	EXPECT_EQ(source.values("rope_factors_short.weight"), (std::vector<float>{1.0f, 1.5f}));
	EXPECT_NEAR(*source->metadata().number("phi3.rope.scaling.attn_factor"), std::sqrt(1.0 + std::log(2.0) / std::log(32.0)), 1e-6);
	EXPECT_EQ(source->metadata().unsignedInt("phi3.rope.scaling.original_context_length"), 32u);

	model.config["rope_scaling"]["long_factor"] = {2.0};
	EXPECT_EQ(Opened(model).error(), "tiny/config.json: long_factor and short_factor have 1 and 2 values, both should have 2");
}

TEST(HuggingFaceSource, ReadsBothFormsOfRopeParameters) {
	TinyModel old = tinyLlama(), fresh = tinyLlama();
	old.config["rope_theta"] = 500000.0;
	old.config["rope_scaling"] = {{"type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}, {"beta_fast", 20.0}};
	fresh.config.erase("rope_theta");
	fresh.config["rope_parameters"] = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}, {"beta_fast", 20.0},
	    {"rope_theta", 500000.0}};
	for (const TinyModel& model : {old, fresh}) {
		const Opened source(model);
		ASSERT_TRUE(source.ok()) << source.error();
		const Metadata& metadata = source->metadata();
		EXPECT_EQ(metadata.number("llama.rope.freq_base"), 500000.0);
		EXPECT_EQ(metadata.string("llama.rope.scaling.type"), "yarn");
		EXPECT_EQ(metadata.number("llama.rope.scaling.factor"), 4.0);
		EXPECT_EQ(metadata.unsignedInt("llama.rope.scaling.original_context_length"), 16u);
		EXPECT_EQ(metadata.number("llama.rope.scaling.yarn_beta_fast"), 20.0);
	}
}

TEST(HuggingFaceSource, MakesAFactorForEveryPairOfLlama3Scaling) {
	TinyModel model = tinyLlama();
	model.config["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0},
	    {"original_max_position_embeddings", 1000}};
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	// Wavelengths 2 pi and 200 pi: short of 250, and between 250 and 1000.
	const float smooth = (1000.0f / 628.3185f - 1.0f) / 3.0f;
	const std::vector<float> factors = source.values("rope_freqs.weight");
	ASSERT_EQ(factors.size(), 2u);
	EXPECT_EQ(factors[0], 1.0f);
	EXPECT_NEAR(factors[1], 1.0f / ((1.0f - smooth) / 8.0f + smooth), 1e-5f);
	EXPECT_FALSE(source->metadata().contains("llama.rope.scaling.type"));
}

TEST(HuggingFaceSource, DecodesFp8WithScalesOfEveryShape) {
	// e4m3: 0x38 = 1, 0xb8 = -1, 0x40 = 2, 0x7e = 448, 0x01 = 2^-9.
	std::vector<std::byte> bytes(8 * 8, std::byte(0x38));
	bytes[1] = std::byte(0xb8);
	bytes[9] = std::byte(0x40);
	bytes[18] = std::byte(0x7e);
	bytes[63] = std::byte(0x01);
	std::vector<float> codes(64, 1.0f);
	codes[1] = -1.0f, codes[9] = 2.0f, codes[18] = 448.0f, codes[63] = 0x1p-9f;

	const std::vector<float> rows{0.5f, 1.0f, 2.0f, 4.0f, 8.0f, 16.0f, 32.0f, 64.0f}, blocks{1.0f, 2.0f, 4.0f, 8.0f};
	const std::map<std::string, std::pair<StoredImage, float (*)(size_t, size_t)>> cases{
	    {"weight_scale", {floats({}, {0.5f}), [](size_t, size_t) { return 0.5f; }}},
	    {"weight_scale ", {floats({1}, {0.5f}, "BF16"), [](size_t, size_t) { return 0.5f; }}},
	    {"weight_scale  ", {floats({8, 1}, rows, "BF16"), [](size_t row, size_t) { return float(1 << row) / 2.0f; }}},
	    {"weight_scale   ", {floats({8}, rows, "F16"), [](size_t row, size_t) { return float(1 << row) / 2.0f; }}},
	    {"weight_scale_inv", {floats({2, 2}, blocks), [](size_t row, size_t column) { return float(1 << (row / 5 * 2 + column / 5)); }}},
	};
	for (const auto& [key, scale] : cases) {
		TinyModel model = tinyLlama();
		model.config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {5, 5}}};
		const std::string name = "model.layers.0.self_attn.o_proj.";
		model.tensors[name + "weight"] = {"F8_E4M3", {8, 8}, bytes};
		model.tensors[name + key.substr(0, key.find(' '))] = scale.first;
		model.tensors[name + "input_scale"] = floats({}, {3.0f});
		const Opened source(model);
		ASSERT_TRUE(source.ok()) << source.error();
		EXPECT_EQ(source.info("blk.0.attn_output.weight").type, TensorType::BF16);
		std::vector<float> expected = codes;
		for (size_t i = 0; i < 64; ++i) expected[i] *= scale.second(i / 8, i % 8);
		EXPECT_EQ(source.values("blk.0.attn_output.weight"), expected) << key;
	}
}

TEST(HuggingFaceSource, DecodesFp8ExpertsWithScalesOfTheirOwn) {
	TinyModel model = tinyQwen3Moe();
	model.config["quantization_config"] = {{"quant_method", "compressed-tensors"}, {"format", "float-quantized"}};
	const std::string name = "model.layers.0.mlp.experts.gate_up_proj";
	model.tensors[name] = {"F8_E4M3", {3, 12, 8}, std::vector<std::byte>(3 * 12 * 8, std::byte(0x38))};
	model.tensors[name + "_scale"] = floats({3, 1, 1}, {1.0f, 2.0f, 4.0f});
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	const std::vector<float> values = source.values("blk.0.ffn_up_exps.weight");
	for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], float(1 << (i / 48))) << i;
}

TEST(HuggingFaceSource, RefusesFp8WithoutFittingScales) {
	TinyModel model = tinyLlama();
	model.config["quantization_config"] = {{"quant_method", "fp8"}};
	const std::string name = "model.layers.0.self_attn.o_proj.weight";
	model.tensors[name] = {"F8_E4M3", {8, 8}, std::vector<std::byte>(64)};
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor '" + name + "': is F8_E4M3, and its scales (" + name + "_scale or " + name + "_scale_inv) are missing");
	model.tensors[name + "_scale"] = floats({3}, {1.0f, 1.0f, 1.0f});
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor '" + name + "_scale': scales of shape [3] do not fit weights of shape [8, 8]");
	model.tensors[name + "_scale"] = {"I32", {}, std::vector<std::byte>(4)};
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor '" + name + "_scale': scales of type I32 are not supported");
	model.config["quantization_config"]["quant_method"] = "gptq";
	EXPECT_EQ(Opened(model).error(), "tiny/config.json: the weights are quantized with 'gptq', which is not supported");
}

TEST(HuggingFaceSource, NamesAnUnknownArchitectureAndWhatIsSupported) {
	TinyModel model = tinyLlama();
	model.config["architectures"] = {"MambaForCausalLM"};
	const Opened source(model);
	EXPECT_EQ(source.error(), "tiny/config.json: architecture 'MambaForCausalLM' is not supported");
	EXPECT_NE(source.hint().find("Qwen3MoeForCausalLM"), std::string::npos);
	model.config.erase("architectures");
	EXPECT_TRUE(Opened(model).ok());   // model_type says it too
	model.config.erase("model_type");
	EXPECT_EQ(Opened(model).error(), "tiny/config.json: names no architecture: neither architectures nor model_type is there");
}

TEST(HuggingFaceSource, NamesTensorsThatAreMissingLeftOverOrOfAnotherShape) {
	TinyModel model = tinyLlama();
	const StoredImage up = model.tensors["model.layers.0.mlp.up_proj.weight"];
	model.tensors.erase("model.layers.0.mlp.up_proj.weight");
	EXPECT_EQ(Opened(model).error(), "tiny: tensor 'model.layers.0.mlp.up_proj.weight' is missing");
	model.tensors["model.layers.0.mlp.up_proj.weight"] = numbered({8, 12}, 0.0f);
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor 'model.layers.0.mlp.up_proj.weight': has shape [8, 12], the config asks for [12, 8]");
	model.tensors["model.layers.0.mlp.up_proj.weight"] = {"I8", {12, 8}, std::vector<std::byte>(96)};
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor 'model.layers.0.mlp.up_proj.weight': weights of type I8 are not supported");
	model.tensors["model.layers.0.mlp.up_proj.weight"] = up;
	model.tensors["model.layers.1.mlp.up_proj.weight"] = up;
	EXPECT_EQ(Opened(model).error(), "tiny/model.safetensors: tensor 'model.layers.1.mlp.up_proj.weight': has no place in a LlamaForCausalLM of 1 layers");
	model.tensors.erase("model.layers.1.mlp.up_proj.weight");
	model.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = numbered({2}, 0.0f);
	EXPECT_EQ(Opened(model).error(), "(no error)");
	model.tensors.erase("lm_head.weight");
	EXPECT_EQ(Opened(model).error(), "(no error)");
	model.config["tie_word_embeddings"] = false;
	EXPECT_EQ(Opened(model).error(), "tiny: tensor 'lm_head.weight' is missing");
}

TEST(HuggingFaceSource, LeavesOutRowsWithoutTokensAndSaysSo) {
	TinyModel model = tinyLlama();
	model.tensors["model.embed_tokens.weight"] = numbered({20, 8}, 1.0f);
	const Opened source(model);
	ASSERT_TRUE(source.ok()) << source.error();
	EXPECT_EQ(source.info("token_embd.weight").ne[1], 16u);
	EXPECT_EQ(source->mapped(source.index("token_embd.weight").value()).size(), 16u * 8 * 2);
	ASSERT_EQ(source->warnings().size(), 1u);
	EXPECT_EQ(source->warnings()[0], "model.embed_tokens.weight has 20 rows for 16 tokens: the rest is left out");
}

TEST(HuggingFaceSource, RefusesAConfigThatMakesNoSense) {
	const auto error_with = [](const std::string& key, const json& value) {
		TinyModel model = tinyLlama();
		model.config[key] = value;
		return Opened(model).error();
	};
	EXPECT_EQ(error_with("hidden_size", "8"), "tiny/config.json: hidden_size is a string where a whole number belongs");
	EXPECT_EQ(error_with("hidden_size", 1e300), "tiny/config.json: hidden_size is a number where a whole number belongs");
	EXPECT_EQ(error_with("hidden_size", uint64_t(1) << 60), "tiny/config.json: hidden_size is 1152921504606846976, outside 1 to 1048576");
	EXPECT_EQ(error_with("num_hidden_layers", -1), "tiny/config.json: num_hidden_layers is a number where a whole number belongs");
	EXPECT_EQ(error_with("num_attention_heads", nullptr), "tiny/config.json: num_attention_heads is missing");
	EXPECT_EQ(error_with("num_key_value_heads", 3), "tiny/config.json: 2 attention heads cannot share 3 key/value heads");
	EXPECT_EQ(error_with("head_dim", 5), "tiny/config.json: a head of 5 elements is odd, RoPE needs pairs");
	EXPECT_EQ(error_with("rope_scaling", {{"type", "magic"}}), "tiny/config.json: RoPE scaling 'magic' is not supported");
	EXPECT_EQ(error_with("rope_scaling", {{"type", "linear"}}), "tiny/config.json: RoPE scaling 'linear' has no factor");
	EXPECT_EQ(error_with("rope_scaling", 5), "tiny/config.json: rope parameters are a number where an object belongs");
	EXPECT_EQ(error_with("rope_theta", -1), "tiny/config.json: rope_theta is -1, outside 1 to 1000000000000");
}

TEST(HuggingFaceSource, ReadsShardsThroughTheirIndex) {
	const TinyModel model = tinyLlama();
	const Opened whole(model);
	const TempFolder folder;
	StoredImages shards[2];
	json map;
	size_t next = 0;
	const char* names[2] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
	for (const auto& [name, image] : model.tensors) {
		map[name] = names[next % 2];
		shards[next++ % 2][name] = image;
	}
	model.write(folder.path());
	fs::remove(folder / "model.safetensors");
	for (int i = 0; i < 2; ++i) writeFile(folder / names[i], safetensorsFile(shards[i]));
	const auto open = [&](const std::string& name, const json& weight_map) {
		writeFile(folder / "model.safetensors.index.json", bytesOf(json{{"weight_map", weight_map}}.dump()));
		const auto source = openModelSource(folder / name);
		if (!source.ok()) return source.error().message.substr(folder.path().string().size());
		EXPECT_EQ((*source)->tensors().size(), whole->tensors().size());
		EXPECT_EQ((*source)->storedBytes(), fs::file_size(folder / names[0]) + fs::file_size(folder / names[1]));
		return std::string("(no error)");
	};
	EXPECT_EQ(open("", map), "(no error)");
	EXPECT_EQ(open("model.safetensors.index.json", map), "(no error)");
	EXPECT_EQ(open(names[1], map), "(no error)");   // one shard means them all

	for (const std::string bad : {"../secret.safetensors", "/etc/passwd", "a\\b", "..", "", "a/b"}) {
		json wrong = map;
		wrong["model.norm.weight"] = bad;
		const std::string error = open("", wrong);
		EXPECT_NE(error.find("is not a name within the folder"), std::string::npos) << error;
	}
	json wrong = map;
	wrong["model.norm.weight"] = "model-00003-of-00003.safetensors";
	EXPECT_EQ(open("", wrong), ": shard 'model-00003-of-00003.safetensors' of 3 is missing");
	wrong = map;
	wrong["model.norm.weight"] = map["model.norm.weight"] == names[0] ? names[1] : names[0];
	EXPECT_NE(open("", wrong).find("where the index has it"), std::string::npos);
	wrong = map;
	wrong.erase("model.norm.weight");
	EXPECT_NE(open("", wrong).find("'model.norm.weight' of "), std::string::npos);
	EXPECT_EQ(open("", 7), "/model.safetensors.index.json: has no weight_map");

	fs::remove(folder / "model.safetensors.index.json");
	fs::remove(folder / names[1]);
	const auto source = openModelSource(folder.path());
	ASSERT_FALSE(source.ok());
	EXPECT_EQ(source.error().message, folder.path().string() + ": shard '" + names[1] + "' of 2 is missing");
}

TEST(HuggingFaceSource, SaysWhatIsMissingBesideTheWeights) {
	const TinyModel model = tinyLlama();
	EXPECT_TRUE(Opened(model, "model.safetensors").ok());
	const TempFolder folder;
	model.write(folder.path());
	fs::remove(folder / "config.json");
	EXPECT_EQ(openModelSource(folder / "model.safetensors").error().message, folder.path().string() + ": config.json is missing beside the weights");
	fs::remove(folder / "model.safetensors");
	EXPECT_EQ(openModelSource(folder.path()).error().message, folder.path().string() + ": holds no .safetensors file");
	writeFile(folder / "pytorch_model.bin", bytesOf("PK"));
	EXPECT_NE(openModelSource(folder.path()).error().hint.find("pickles"), std::string::npos);
	writeFile(folder / "model.Q4_K_M.gguf", bytesOf("GGUF"));
	EXPECT_EQ(openModelSource(folder / "none").error().code, ErrorCode::kNotFound);

	TinyModel silent = tinyLlama();
	silent.tokenizer = nullptr;
	EXPECT_EQ(Opened(silent).error(), "tiny: neither tokenizer.json nor tokenizer.model is there");
}

/// tests/data/tiny-random holds three; VKQ_TINY_RANDOM may name a folder of more. With VKQ_PEER (a command prefix that runs the
/// reference's tools) each has to load there and to find text as likely as chance does.
TEST(HuggingFaceSource, ConvertsModelsThatTheReferenceLoads) {
	const char* more = std::getenv("VKQ_TINY_RANDOM");
	const char* peer = std::getenv("VKQ_PEER");
	const TempFolder temp;
	fs::copy_file(kModels / "orator-6m/tokenizer.json", temp / "text.txt");   // any text will do
	for (const auto& entry : fs::directory_iterator(more ? fs::path(more) : fs::path(VKQ_SOURCE_DIR) / "tests/data/tiny-random")) {
		const auto source = openModelSource(entry.path());
		ASSERT_TRUE(source.ok()) << source.error().message;
		EXPECT_TRUE((*source)->warnings().empty()) << (*source)->warnings().front();
		const auto written = writeSource(**source, TensorType::F16, temp / "model.gguf");
		ASSERT_TRUE(written.ok()) << written.error().message;
		if (!peer) continue;
		const double perplexity = peerPerplexity(peer, temp.path());
		EXPECT_GT(perplexity, 500.0) << entry.path();   // 2048 tokens, random weights
		EXPECT_LT(perplexity, 20000.0) << entry.path();
	}
}
