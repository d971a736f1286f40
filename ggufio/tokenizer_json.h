// tokenizer.json (Hugging Face tokenizers) -> VocabularyDraft.
//
// Byte-level BPE is taken as it is. BPE over characters with byte fallback, which is how llama 2, gemma and phi 3 express
// their SentencePiece models, becomes SentencePiece again: merges are listed by falling score of what they make, so the
// place of the first merge that makes a token serves as its score.
#pragma once

#include "core/result.h"
#include "ggufio/json_text.h"
#include "ggufio/vocabulary.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// `n_vocab` tokens: holes are filled, ids beyond are left out with a warning. `file` stands for the document in errors.
Result<VocabularyDraft> readTokenizerJson(const Json& tokenizer, std::string_view file, uint64_t n_vocab, std::vector<std::string>& warnings);

/// The list under "added_tokens".
Result<std::vector<AddedToken>> readAddedTokens(const Json& tokenizer, std::string_view file);

/// The object under "added_tokens_decoder" of tokenizer_config.json: ids as text -> tokens.
Result<std::vector<AddedToken>> readAddedTokensDecoder(const Json& tokenizer_config, std::string_view file);

}  // namespace vkq
