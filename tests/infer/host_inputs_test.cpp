// Embeddings come from tables of every type: rows as quant/codec.h decodes them, times the family's scale.
#include "infer/host_inputs.h"
#include "tests/infer/quantized_source.h"

#include "arch/model.h"

#include <gtest/gtest.h>

using namespace vkq;

TEST(HostInputs, EmbeddingsComeFromTablesOfEveryType) {
	auto source = openGgufSource(std::filesystem::path(VKQ_SOURCE_DIR) / "models/orator-6m-f16.gguf");
	ASSERT_TRUE(source.ok()) << source.error().message;
	auto model = readHyperparameters((*source)->metadata(), (*source)->tensors(), (*source)->name());
	ASSERT_TRUE(model.ok()) << model.error().message;
	model->embedding_scale = 1.5f;
	size_t table = 0;
	while ((*source)->tensors()[table].name != "token_embd.weight") ++table;
	const std::vector<Token> tokens{0, 7, Token(model->n_vocab - 1), 7};
	for (const TypeInfo& info : allTypes()) {
		if (!info.has_codec) continue;
		const QuantizedSource quantized(**source, [&](const TensorInfo& tensor) { return tensor.name == "token_embd.weight" ? info.type : tensor.type; });
		const auto inputs = HostInputs::create(quantized, *model, 128);
		ASSERT_TRUE(inputs.ok()) << inputs.error().message;
		std::vector<float> embedded(tokens.size() * model->n_embd), row(model->n_embd);
		ASSERT_TRUE(inputs->embed(tokens, embedded.data()).ok());
		std::vector<std::byte> bytes(*typeBytes(info.type, model->n_embd));
		for (size_t t = 0; t < tokens.size(); ++t) {
			ASSERT_TRUE(quantized.readRows(table, uint64_t(tokens[t]), 1, bytes.data()).ok());
			decodeRow(info.type, bytes.data(), model->n_embd, row.data());
			for (uint32_t i = 0; i < model->n_embd; ++i) ASSERT_EQ(embedded[t * model->n_embd + i], row[i] * 1.5f) << info.name << " token " << t << " element " << i;
		}
	}
}
