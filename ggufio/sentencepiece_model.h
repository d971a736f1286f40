// tokenizer.model, SentencePiece's protocol buffer -> VocabularyDraft.
//
// Fields read (sentencepiece_model.proto): pieces (1: piece 1, score 2, type 3), trainer_spec (2: model_type 3, ids 40-43),
// normalizer_spec (3: add_dummy_prefix 3). Everything else is skipped; broken encoding is an error that names the file.
#pragma once

#include "core/result.h"
#include "ggufio/vocabulary.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// `n_vocab` tokens: holes are filled, pieces beyond are left out with a warning. `file` stands for the model in errors.
Result<VocabularyDraft> readSentencePieceModel(std::string_view bytes, std::string_view file, uint64_t n_vocab, std::vector<std::string>& warnings);

}  // namespace vkq
