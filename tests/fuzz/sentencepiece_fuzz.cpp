// Any bytes as tokenizer.model.

#include "ggufio/sentencepiece_model.h"

#include <cmath>
#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	constexpr uint64_t kVocab = 16;
	std::vector<std::string> warnings;
	const auto vocabulary = readSentencePieceModel(std::string_view(reinterpret_cast<const char*>(data), size), "tokenizer.model", kVocab, warnings);
	if (!vocabulary.ok()) {
		if (vocabulary.error().message.empty()) std::abort();
		return 0;
	}
	if (vocabulary->tokens.size() != kVocab || vocabulary->kinds.size() != kVocab || vocabulary->scores.size() != kVocab) std::abort();
	for (float score : vocabulary->scores)
		if (std::isnan(score)) std::abort();
	return 0;
}
