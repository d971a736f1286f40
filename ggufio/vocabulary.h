// A tokenizer's vocabulary on its way into tokenizer.ggml.* metadata (infer/tokenizer_vocabulary.h: the one that cuts text).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq {

/// Values are GGUF's (tokenizer.ggml.token_type).
enum class GgmlTokenType : int32_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };

/// A token beside the trained vocabulary, or one of it that is treated as a whole.
struct AddedToken {
	uint64_t id = 0;
	std::string text;
	bool special = false;
};

struct VocabularyDraft {
	std::string model;                     // "gpt2": byte-level BPE; "llama": SentencePiece
	std::string pre;                       // how text is cut before merging (pre_tokenizer.h); "default" for SentencePiece
	std::vector<std::string> tokens;       // by id
	std::vector<GgmlTokenType> kinds;
	std::vector<float> scores;             // SentencePiece only
	std::vector<std::string> merges;       // BPE only: "a b", best first
	std::optional<bool> add_space_prefix;  // nothing: the default of the model
	std::optional<uint64_t> bos, eos, unknown, padding;   // as a SentencePiece model itself says

	/// `count` holes: "[PAD3]", unused.
	static VocabularyDraft ofHoles(std::string model, uint64_t count);

	/// Puts added tokens in; those beyond the vocabulary are left out, and counted.
	uint64_t add(const std::vector<AddedToken>& added);
};

/// Markers that some models forget to mark as special: <|...|>, fill tokens, masks.
bool looksSpecial(std::string_view token);

}  // namespace vkq
