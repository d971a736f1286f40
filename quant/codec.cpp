#include "quant/codec.h"

#include "quant/block_codec.h"

#include <cassert>

namespace vkq {

namespace {

constexpr const Codec* kCodecs[] = {
	&kF32Codec,  &kF16Codec,  &kBf16Codec, &kQ4_0Codec, &kQ4_1Codec,  &kQ5_0Codec,  &kQ5_1Codec,  &kQ8_0Codec,
	&kQ2_KCodec, &kQ3_KCodec, &kQ4_KCodec, &kQ5_KCodec, &kQ6_KCodec, &kIq4NlCodec, &kIq4XsCodec, &kMxfp4Codec,
};

const Codec& codecOf(TensorType type) {
	for (const Codec* codec : kCodecs)
		if (codec->type == type) return *codec;
	assert(!"the type has no codec");
	return *kCodecs[0];
}

constexpr const BestEncoder* kBestEncoders[] = {
	&kBestQ4_0, &kBestQ4_1, &kBestQ5_0, &kBestQ5_1, &kBestQ8_0, &kBestQ2_K,  &kBestQ3_K,
	&kBestQ4_K, &kBestQ5_K, &kBestQ6_K, &kBestIq4Nl, &kBestIq4Xs, &kBestMxfp4,
};

const BestEncoder* bestEncoderOf(TensorType type) {
	for (const BestEncoder* encoder : kBestEncoders)
		if (encoder->type == type) return encoder;
	return nullptr;
}

}  // namespace

void encodeRow(TensorType type, const float* x, uint64_t row_elements, const float* importance, std::byte* out, Search search) {
	assert(row_elements % typeInfo(type).block_elements == 0);
	if (const BestEncoder* best = search == Search::kBest ? bestEncoderOf(type) : nullptr) return best->encode(x, row_elements, importance, out);
	codecOf(type).encode(x, row_elements, importance, out);
}

void decodeRow(TensorType type, const std::byte* in, uint64_t elements, float* out) {
	assert(elements % typeInfo(type).block_elements == 0);
	codecOf(type).decode(in, elements, out);
}

bool scalesAreFinite(TensorType type, const std::byte* in, uint64_t elements) {
	assert(elements % typeInfo(type).block_elements == 0);
	return codecOf(type).finite(in, elements);
}

bool usesImportance(TensorType type, Search search) {
	const BestEncoder* best = search == Search::kBest ? bestEncoderOf(type) : nullptr;
	return best ? best->uses_importance : codecOf(type).uses_importance;
}

bool hasBestSearch(TensorType type) { return bestEncoderOf(type) != nullptr; }

}  // namespace vkq
