#include "eval/sensitivity.h"

#include "eval/changed_source.h"
#include "quant/codec.h"
#include "sample_model.h"

using namespace vkq;
using namespace vkq::test;

namespace {

/// The tensor rounded to `type`, as the source stores it.
Result<std::vector<std::byte>> rounded(const ModelSource& source, size_t tensor, TensorType type) {
	const TensorInfo& info = source.tensors()[tensor];
	std::vector<std::byte> values(info.bytes), encoded(*typeBytes(type, info.ne[0]));
	std::vector<float> row(info.ne[0]);
	VKQ_CHECK(source.readRows(tensor, 0, info.rows(), values.data()));
	for (uint64_t r = 0; r < info.rows(); ++r) {
		std::byte* stored = values.data() + r * info.rowBytes();
		decodeRow(info.type, stored, info.ne[0], row.data());
		encodeRow(type, row.data(), info.ne[0], nullptr, encoded.data());
		decodeRow(type, encoded.data(), info.ne[0], row.data());
		encodeRow(info.type, row.data(), info.ne[0], nullptr, stored);
	}
	return values;
}

size_t indexOf(const ModelSource& source, std::string_view name) {
	for (size_t i = 0; i < source.tensors().size(); ++i)
		if (source.tensors()[i].name == name) return i;
	throw std::runtime_error(std::string(name));
}

}  // namespace

TEST(Sensitivity, GrowsWithRoughnessAndLeavesTheModelAsItWas) {
	const SampleModel model;
	const auto chunks = cutChunks(*model.tokenizer, model.text, 64, 2);
	ASSERT_TRUE(chunks);
	const size_t down = indexOf(*model.source, "blk.2.ffn_down.weight"), embedding = indexOf(*model.source, "token_embd.weight");
	const auto probe = [&](size_t tensor, TensorType type) { return SensitivityProbe{tensor, [&source = *model.source, tensor, type] { return rounded(source, tensor, type); }}; };
	const auto klds = measureSensitivity(*model.source, *chunks, std::vector{probe(down, TensorType::Q2_K), probe(down, TensorType::Q4_K), probe(down, TensorType::F16),
	                                                                        probe(embedding, TensorType::Q2_K), probe(down, TensorType::Q2_K)}, {});
	ASSERT_TRUE(klds) << klds.error().message;
	EXPECT_GT((*klds)[0], 3 * (*klds)[1]);
	EXPECT_GT((*klds)[1], 1e-6);
	EXPECT_NEAR((*klds)[2], 0, 1e-7);        // nothing changed: nothing moves
	EXPECT_GT((*klds)[3], 1e-5);             // the table that the host reads changes too
	EXPECT_EQ((*klds)[4], (*klds)[0]);       // whatever was measured before
}

TEST(Sensitivity, MeasuresFewerPositionsWhereMemoryIsShort) {
	const SampleModel model;
	const auto chunks = cutChunks(*model.tokenizer, model.text, 64, 2);
	ASSERT_TRUE(chunks);
	const size_t tensor = indexOf(*model.source, "output.weight");
	const SensitivityProbe probe{tensor, [&] { return rounded(*model.source, tensor, TensorType::Q3_K); }};
	const auto few = measureSensitivity(*model.source, *chunks, std::span(&probe, 1), {.session = {}, .memory = 10 * 2048 * sizeof(float)});
	const auto all = measureSensitivity(*model.source, *chunks, std::span(&probe, 1), {});
	ASSERT_TRUE(few && all);
	EXPECT_GT(few->front(), 0.3 * all->front());
	EXPECT_LT(few->front(), 3 * all->front());
}

TEST(Sensitivity, RefusesValuesOfAnotherSize) {
	const SampleModel model;
	const auto chunks = cutChunks(*model.tokenizer, model.text, 64, 2);
	const SensitivityProbe probe{0, [] { return Result<std::vector<std::byte>>(std::vector<std::byte>(7)); }};
	const auto klds = measureSensitivity(*model.source, *chunks, std::span(&probe, 1), {});
	ASSERT_FALSE(klds);
	EXPECT_EQ(klds.error().code, ErrorCode::kInvalidData);
}
