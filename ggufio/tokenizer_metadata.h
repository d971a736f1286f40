// The tokenizer files of a Hugging Face model -> tokenizer.ggml.* metadata.
//
// Read when they exist: tokenizer.model (preferred, as by the reference), tokenizer.json, tokenizer_config.json,
// added_tokens.json, generation_config.json, chat_template.jinja and chat_template.json. One of the first two must.
#pragma once

#include "core/result.h"
#include "ggufio/huggingface_config.h"
#include "ggufio/metadata.h"

#include <filesystem>
#include <string>
#include <vector>

namespace vkq {

/// Appends the keys in the order in which the reference's converter writes them, and general.sampling.* of
/// generation_config.json in front. The vocabulary has config.n_vocab tokens.
Result<void> appendTokenizerMetadata(const std::filesystem::path& folder, const HuggingFaceConfig& config, Metadata& metadata,
                                     std::vector<std::string>& warnings);

}  // namespace vkq
