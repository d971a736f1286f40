// How byte-pair tokenizers cut a text into words before they merge: regular expressions by the name in tokenizer.ggml.pre.
//
// The expressions of a pre-tokenizer apply in sequence: each cuts the pieces that the one before left, and what lies between
// its matches stays as pieces too. A piece is matched as a text of its own: lookaheads do not see its neighbours.
#pragma once

#include "core/result.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace vkq {

/// One way of cutting and what goes with it.
struct PreTokenizer {
	std::vector<std::string_view> names;      // values of tokenizer.ggml.pre
	std::vector<std::string_view> patterns;   // PCRE2 syntax, except that \s is Unicode white space exactly (no U+180E)
	bool ignore_merges = false;               // defaults of these tokenizers
	bool add_bos = false;
};

/// Never null. An empty name is "default", as for files older than the key.
Result<const PreTokenizer*> findPreTokenizer(std::string_view name, std::string_view file);

/// The compiled expressions of one pre-tokenizer. Const use from many threads.
class WordSplitter {
public:
	static Result<WordSplitter> compile(const PreTokenizer& pre_tokenizer);

	WordSplitter(WordSplitter&&) noexcept;
	WordSplitter& operator=(WordSplitter&&) noexcept;
	~WordSplitter();

	/// The lengths in bytes of the words of `text`, in order; their sum is text.size(). The text must be UTF-8.
	Result<std::vector<uint32_t>> split(std::string_view text) const;

private:
	struct Impl;
	explicit WordSplitter(std::unique_ptr<Impl> impl);
	std::unique_ptr<Impl> impl_;
};

}  // namespace vkq
