// Which of GGUF's named pre-tokenizers a tokenizer.json has.
//
// The reference encodes a test text and compares a hash of the ids; here the rules themselves are compared, so that a model
// of the same rules and another vocabulary is recognized as well.
#pragma once

#include "ggufio/json_text.h"

#include <optional>
#include <string_view>

namespace vkq {

/// "llama-bpe", "qwen2", ...: the value of tokenizer.ggml.pre. Nothing when the rules are not known.
/// `tokenizer` is the whole document.
std::optional<std::string_view> preTokenizerName(const Json& tokenizer);

}  // namespace vkq
