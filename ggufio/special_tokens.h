// Which tokens begin, end, pad a text, and whether they are added by themselves: from tokenizer_config.json, config.json,
// generation_config.json and the post-processor of tokenizer.json, in the reference's order of precedence.
#pragma once

#include "ggufio/json_text.h"
#include "ggufio/metadata.h"
#include "ggufio/vocabulary.h"

namespace vkq {

/// Null (JSON's) for a file that does not exist.
struct TokenizerDocuments {
	Json tokenizer;           // tokenizer.json
	Json tokenizer_config;
	Json config;              // config.json
	Json generation_config;
};

/// Appends tokenizer.ggml.{bos,eos,...}_token_id and .add_{bos,eos,sep}_token. Ids outside the vocabulary are left out.
void appendSpecialTokens(const TokenizerDocuments& documents, const VocabularyDraft& vocabulary, Metadata& metadata);

}  // namespace vkq
