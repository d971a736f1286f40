#include "arch/model.h"
#include "metadata_of.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace vkq;
using test::metadataOf;

namespace {

Hyperparameters read(const Metadata& metadata) {
	auto h = readHyperparameters(metadata, {}, "test");
	EXPECT_TRUE(h.ok()) << (h.ok() ? "" : h.error().message);
	return h.ok() ? *h : Hyperparameters{};
}

Error readError(const Metadata& metadata) {
	auto h = readHyperparameters(metadata, {}, "test");
	EXPECT_FALSE(h.ok());
	return h.ok() ? Error{} : h.error();
}

TEST(Hyperparameters, OfTheSampleModelAreWhatItWasTrainedWith) {
	const auto file = GgufFile::open(VKQ_SOURCE_DIR "/models/orator-6m-f16.gguf");
	ASSERT_TRUE(file.ok()) << file.error().message;
	const auto h = readHyperparameters(file->metadata(), file->tensors(), "orator");
	ASSERT_TRUE(h.ok()) << h.error().message;
	EXPECT_EQ(h->arch, Architecture::Llama);
	EXPECT_EQ(h->n_vocab, 2048u);
	EXPECT_EQ(h->n_embd, 256u);
	EXPECT_EQ(h->n_layer, 6u);
	EXPECT_EQ(h->n_head, 4u);
	EXPECT_EQ(h->n_head_kv, 2u);
	EXPECT_EQ(h->head_dim, 64u);
	EXPECT_EQ(h->n_ff, 768u);
	EXPECT_EQ(h->rope_style, RopeStyle::Interleaved);
	EXPECT_FLOAT_EQ(h->attention_scale, 0.125f);
	const auto checked = checkTensors(*h, file->tensors(), "orator");
	EXPECT_TRUE(checked.ok()) << checked.error().message;
}

TEST(Hyperparameters, OfQwen2HaveBiasesAndSplitHalves) {
	const Hyperparameters h = read(metadataOf("qwen2"));
	EXPECT_TRUE(h.qkv_bias);
	EXPECT_EQ(h.rope_style, RopeStyle::HalfSplit);
	EXPECT_FALSE(h.qk_norm);
}

TEST(Hyperparameters, OfQwen3TakeTheHeadSizeFromTheFile) {
	Metadata metadata = metadataOf("qwen3");
	metadata.set("qwen3.attention.key_length", uint32_t(128));
	metadata.set("qwen3.attention.value_length", uint32_t(128));
	const Hyperparameters h = read(metadata);
	EXPECT_EQ(h.head_dim, 128u);
	EXPECT_EQ(h.n_embd_q(), 512u);
	EXPECT_TRUE(h.qk_norm);
}

TEST(Hyperparameters, OfGemma2SlideOnEveryOtherLayerFromTheFirst) {
	Metadata metadata = metadataOf("gemma2");
	metadata.set("gemma2.attention.sliding_window", uint32_t(24));
	const Hyperparameters h = read(metadata);
	EXPECT_TRUE(h.slides(0));
	EXPECT_FALSE(h.slides(1));
	EXPECT_TRUE(h.slides(2));
	EXPECT_FLOAT_EQ(h.embedding_scale, 16.0f);
	EXPECT_FLOAT_EQ(h.attention_softcap, 50.0f);
	EXPECT_FLOAT_EQ(h.logit_softcap, 30.0f);
	EXPECT_TRUE(h.post_norms);
	EXPECT_EQ(h.activation, Activation::GeluTanh);
}

TEST(Hyperparameters, OfGemma2WithoutAWindowUseItsDefault) { EXPECT_EQ(read(metadataOf("gemma2")).sliding_window, 4096u); }

TEST(Hyperparameters, OfTheLargestGemma2ScaleAttentionByWidth) {
	Metadata metadata = metadataOf("gemma2");
	metadata.set("gemma2.block_count", uint32_t(46));
	metadata.set("gemma2.attention.key_length", uint32_t(128));
	metadata.set("gemma2.attention.value_length", uint32_t(128));
	EXPECT_FLOAT_EQ(read(metadata).attention_scale, 1.0f / std::sqrt(256.0f / 4.0f));
	metadata.set("gemma2.block_count", uint32_t(42));
	EXPECT_FLOAT_EQ(read(metadata).attention_scale, 1.0f / std::sqrt(128.0f));
}

TEST(Hyperparameters, OfGemma3SlideFiveLayersOfSix) {
	Metadata metadata = metadataOf("gemma3");
	metadata.set("gemma3.attention.sliding_window", uint32_t(24));
	metadata.set("gemma3.rope.freq_base", 1e6f);
	metadata.set("gemma3.block_count", uint32_t(12));
	const Hyperparameters h = read(metadata);
	for (uint32_t layer = 0; layer < 12; ++layer) EXPECT_EQ(h.slides(layer), layer % 6 != 5) << layer;
	EXPECT_FLOAT_EQ(h.rope_base, 1e6f);
	EXPECT_FLOAT_EQ(h.rope_base_swa, 10000.0f);
}

TEST(Hyperparameters, ReadTheSlidingPatternFromANumberOrFlags) {
	Metadata metadata = metadataOf("gemma3");
	metadata.set("gemma3.attention.sliding_window", uint32_t(24));
	metadata.set("gemma3.attention.sliding_window_pattern", uint32_t(2));
	EXPECT_EQ(read(metadata).sliding_pattern, 2u);
	metadata.set("gemma3.attention.sliding_window_pattern", MetaArray(MetaBools{{1, 1, 0, 1}}));
	EXPECT_EQ(read(metadata).sliding_pattern, 3u);
	metadata.set("gemma3.attention.sliding_window_pattern", MetaArray(MetaBools{{1, 0, 0, 1}}));
	EXPECT_EQ(readError(metadata).code, ErrorCode::kUnsupported);
}

TEST(Hyperparameters, OfPhi3AreFusedAndDoNotSlide) {
	Metadata metadata = metadataOf("phi3");
	metadata.set("phi3.attention.sliding_window", uint32_t(2047));
	const Hyperparameters h = read(metadata);
	EXPECT_TRUE(h.fused_qkv);
	EXPECT_TRUE(h.fused_gate_up);
	EXPECT_FALSE(h.slides(0));
}

TEST(Hyperparameters, OfMixturesNeedACountOfUsedExperts) {
	Metadata metadata = metadataOf("llama");
	metadata.set("llama.expert_count", uint32_t(8));
	EXPECT_NE(readError(metadata).message.find("llama.expert_used_count"), std::string::npos);
	metadata.set("llama.expert_used_count", uint32_t(9));
	EXPECT_EQ(readError(metadata).code, ErrorCode::kInvalidData);
	metadata.set("llama.expert_used_count", uint32_t(2));
	const Hyperparameters h = read(metadata);
	EXPECT_EQ(h.n_ff_expert, 768u);
}

TEST(Hyperparameters, ReadYarnAndLinearScaling) {
	Metadata metadata = metadataOf("qwen2");
	metadata.set("qwen2.rope.scaling.type", std::string("yarn"));
	metadata.set("qwen2.rope.scaling.factor", 4.0f);
	metadata.set("qwen2.rope.scaling.original_context_length", uint32_t(128));
	Hyperparameters h = read(metadata);
	EXPECT_EQ(h.rope_scaling, RopeScaling::Yarn);
	EXPECT_FLOAT_EQ(h.rope_factor, 4.0f);
	EXPECT_EQ(h.rope_ctx_original, 128u);
	metadata.set("qwen2.rope.scaling.type", std::string("linear"));
	EXPECT_EQ(read(metadata).rope_scaling, RopeScaling::Linear);
	metadata.set("qwen2.rope.scaling.type", std::string("spiral"));
	EXPECT_EQ(readError(metadata).code, ErrorCode::kUnsupported);
}

TEST(Hyperparameters, AcceptAListPerLayerOnlyIfAllLayersAgree) {
	Metadata metadata = metadataOf("llama");
	metadata.set("llama.attention.head_count_kv", MetaArray(std::vector<uint32_t>{2, 2, 2, 2}));
	EXPECT_EQ(read(metadata).n_head_kv, 2u);
	metadata.set("llama.attention.head_count_kv", MetaArray(std::vector<uint32_t>{2, 1, 2, 2}));
	EXPECT_EQ(readError(metadata).code, ErrorCode::kUnsupported);
}

TEST(Hyperparameters, NameEveryMissingKey) {
	for (const char* key : {"context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
		Metadata metadata = metadataOf("llama");
		metadata.remove(std::string("llama.") + key);
		const Error error = readError(metadata);
		EXPECT_EQ(error.code, ErrorCode::kMalformed);
		EXPECT_NE(error.message.find(key), std::string::npos) << error.message;
	}
}

TEST(Hyperparameters, RejectValuesOutOfRange) {
	const auto with = [](const char* key, MetaValue value) {
		Metadata metadata = metadataOf("llama");
		metadata.set(std::string("llama.") + key, std::move(value));
		return readError(metadata).code;
	};
	EXPECT_EQ(with("block_count", uint32_t(0)), ErrorCode::kInvalidData);
	EXPECT_EQ(with("block_count", uint32_t(1) << 31), ErrorCode::kInvalidData);
	EXPECT_EQ(with("embedding_length", uint64_t(1) << 40), ErrorCode::kInvalidData);
	EXPECT_EQ(with("attention.head_count", uint32_t(3)), ErrorCode::kInvalidData);       // 2 kv heads
	EXPECT_EQ(with("attention.head_count_kv", uint32_t(0)), ErrorCode::kInvalidData);
	EXPECT_EQ(with("attention.head_count", int32_t(-4)), ErrorCode::kMalformed);
	EXPECT_EQ(with("attention.key_length", uint32_t(63)), ErrorCode::kUnsupported);
	EXPECT_EQ(with("attention.layer_norm_rms_epsilon", std::numeric_limits<float>::quiet_NaN()), ErrorCode::kInvalidData);
	EXPECT_EQ(with("rope.freq_base", -1.0f), ErrorCode::kInvalidData);
	EXPECT_EQ(with("rope.dimension_count", uint32_t(65)), ErrorCode::kInvalidData);
	EXPECT_EQ(with("context_length", std::string("many")), ErrorCode::kMalformed);
}

TEST(Hyperparameters, OfAnUnknownArchitectureSayWhatIsSupported) {
	const Error error = readError(metadataOf("mamba"));
	EXPECT_EQ(error.code, ErrorCode::kUnsupported);
	EXPECT_NE(error.hint.find("qwen3moe"), std::string::npos);
}

TEST(MixtureModelOfMetadata, ReadsLayerZeroOfLists) {
	Metadata metadata;
	metadata.set("general.architecture", std::string("falcon"));
	metadata.set("falcon.block_count", uint32_t(32));
	metadata.set("falcon.attention.head_count", MetaArray(std::vector<uint32_t>{71, 70}));
	const MixtureModel model = mixtureModel(metadata);
	EXPECT_EQ(model.arch, "falcon");
	EXPECT_EQ(model.layers, 32u);
	EXPECT_EQ(model.heads, 71u);
	EXPECT_EQ(model.kv_heads, 71u);
}

}  // namespace
