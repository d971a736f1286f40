// Words repeat: the tokens of each word of a text are found once and copied afterwards.
#pragma once

#include "infer/tokenizer_vocabulary.h"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vkq {

/// For one text (words are views into it) and one output (what was found is remembered as a place in it).
class WordCache {
public:
	/// Appends the tokens of `word`, by encode(word, tokens) the first time.
	template <class Encode>
	void append(std::string_view word, std::vector<Token>& tokens, Encode&& encode) {
		if (word.size() > kLongest) {
			encode(word, tokens);
			return;
		}
		const auto [place, fresh] = seen_.try_emplace(word, Place{tokens.size(), 0});
		if (fresh) {
			encode(word, tokens);
			place->second.count = uint32_t(tokens.size() - place->second.begin);
		} else {
			for (uint32_t i = 0; i < place->second.count; ++i) tokens.push_back(tokens[place->second.begin + i]);
		}
	}

private:
	static constexpr size_t kLongest = 48;  // bytes; longer ones rarely come again and would only fill the table
	struct Place {
		size_t begin;
		uint32_t count;
	};
	std::unordered_map<std::string_view, Place> seen_;
};

}  // namespace vkq
