#include "arch/model.h"
#include "ggufio/model_source.h"
#include "metadata_of.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace vkq;
using test::metadataOf;

namespace {

Hyperparameters hyperparametersOf(const std::string& arch) {
	Metadata metadata = metadataOf(arch);
	if (arch == "qwen3moe") {
		metadata.set("qwen3moe.expert_count", uint32_t(8));
		metadata.set("qwen3moe.expert_used_count", uint32_t(2));
		metadata.set("qwen3moe.expert_feed_forward_length", uint32_t(128));
	}
	auto h = readHyperparameters(metadata, {}, arch);
	EXPECT_TRUE(h.ok());
	return *h;
}

const TensorInfo* find(const std::vector<TensorInfo>& tensors, std::string_view name) {
	const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TensorInfo& t) { return t.name == name; });
	return found == tensors.end() ? nullptr : &*found;
}

using Shape = std::array<uint64_t, 4>;

TEST(ExpectedTensors, AreInProcessingOrder) {
	for (const char* arch : {"llama", "qwen2", "qwen3", "qwen3moe", "gemma2", "gemma3", "phi3"}) {
		const auto tensors = expectedTensors(hyperparametersOf(arch));
		EXPECT_TRUE(std::is_sorted(tensors.begin(), tensors.end(), tensorComesBefore)) << arch;
	}
}

TEST(ExpectedTensors, OfPhi3AreFused) {
	const auto tensors = expectedTensors(hyperparametersOf("phi3"));
	ASSERT_TRUE(find(tensors, "blk.0.attn_qkv.weight"));
	EXPECT_EQ(find(tensors, "blk.0.attn_qkv.weight")->ne, (Shape{256, 512, 1, 1}));
	EXPECT_EQ(find(tensors, "blk.0.ffn_up.weight")->ne, (Shape{256, 1536, 1, 1}));
	EXPECT_FALSE(find(tensors, "blk.0.attn_q.weight"));
	EXPECT_FALSE(find(tensors, "blk.0.ffn_gate.weight"));
}

TEST(ExpectedTensors, OfExpertsAreStacked) {
	const auto tensors = expectedTensors(hyperparametersOf("qwen3moe"));
	EXPECT_EQ(find(tensors, "blk.3.ffn_down_exps.weight")->ne, (Shape{128, 256, 8, 1}));
	EXPECT_EQ(find(tensors, "blk.3.ffn_gate_inp.weight")->type, TensorType::F32);
	EXPECT_EQ(find(tensors, "blk.3.attn_k_norm.weight")->ne, (Shape{64, 1, 1, 1}));
	EXPECT_FALSE(find(tensors, "blk.3.ffn_down.weight"));
}

TEST(ExpectedTensors, OfGemmaHaveNormsAfterEachHalfAndNoHead) {
	const auto tensors = expectedTensors(hyperparametersOf("gemma3"));
	EXPECT_TRUE(find(tensors, "blk.0.post_attention_norm.weight"));
	EXPECT_TRUE(find(tensors, "blk.0.post_ffw_norm.weight"));
	EXPECT_FALSE(find(tensors, "output.weight"));
}

TEST(CheckTensors, AcceptsWhatIsExpected) {
	const Hyperparameters h = hyperparametersOf("qwen2");
	EXPECT_TRUE(checkTensors(h, expectedTensors(h), "test").ok());
}

TEST(CheckTensors, NamesAMissingTensor) {
	const Hyperparameters h = hyperparametersOf("qwen2");
	auto tensors = expectedTensors(h);
	std::erase_if(tensors, [](const TensorInfo& t) { return t.name == "blk.2.attn_k.bias"; });
	const auto checked = checkTensors(h, tensors, "test");
	ASSERT_FALSE(checked.ok());
	EXPECT_NE(checked.error().message.find("blk.2.attn_k.bias is missing"), std::string::npos) << checked.error().message;
}

TEST(CheckTensors, ShowsBothShapesOfAMismatch) {
	const Hyperparameters h = hyperparametersOf("llama");
	auto tensors = expectedTensors(h);
	for (TensorInfo& t : tensors) if (t.name == "blk.1.ffn_down.weight") t.ne[0] = 512;
	const auto checked = checkTensors(h, tensors, "test");
	ASSERT_FALSE(checked.ok());
	EXPECT_NE(checked.error().message.find("[512, 256]"), std::string::npos) << checked.error().message;
	EXPECT_NE(checked.error().message.find("[768, 256]"), std::string::npos) << checked.error().message;
}

TEST(CheckTensors, RejectsTensorsThatItDoesNotKnow) {
	const Hyperparameters h = hyperparametersOf("llama");
	auto tensors = expectedTensors(h);
	tensors.push_back(tensors.back());
	tensors.back().name = "blk.0.attn_sinks";
	const auto checked = checkTensors(h, tensors, "test");
	ASSERT_FALSE(checked.ok());
	EXPECT_EQ(checked.error().code, ErrorCode::kUnsupported);
}

TEST(CheckTensors, AcceptsRopeTablesOfTheRightSize) {
	const Hyperparameters h = hyperparametersOf("llama");
	auto tensors = expectedTensors(h);
	TensorInfo table;
	table.name = "rope_freqs.weight";
	table.ne[0] = 32;
	tensors.push_back(table);
	EXPECT_TRUE(checkTensors(h, tensors, "test").ok());
	tensors.back().ne[0] = 31;
	EXPECT_FALSE(checkTensors(h, tensors, "test").ok());
}

}  // namespace
