// Any text as tokenizer.json and as tokenizer_config.json.

#include "ggufio/special_tokens.h"
#include "ggufio/tokenizer_json.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	constexpr uint64_t kVocab = 8;
	const auto json = parseJson(std::string_view(reinterpret_cast<const char*>(data), size), "tokenizer.json");
	if (!json.ok()) return 0;
	std::vector<std::string> warnings;
	(void)readAddedTokens(*json, "tokenizer.json");
	(void)readAddedTokensDecoder(*json, "tokenizer_config.json");
	const auto vocabulary = readTokenizerJson(*json, "tokenizer.json", kVocab, warnings);
	if (!vocabulary.ok()) return 0;
	if (vocabulary->tokens.size() != kVocab || vocabulary->kinds.size() != kVocab) std::abort();
	Metadata metadata;
	appendSpecialTokens({*json, *json, *json, *json}, *vocabulary, metadata);
	return 0;
}
