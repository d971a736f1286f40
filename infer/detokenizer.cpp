#include "infer/detokenizer.h"

#include "infer/utf8.h"

#include <utility>

namespace vkq {

std::string Detokenizer::push(Token token) {
	std::string_view bytes = tokenizer_.piece(token, options_.show_control);
	if (options_.at_start && token != tokenizer_.vocabulary().bos) {
		if (tokenizer_.vocabulary().add_space_prefix && bytes.starts_with(' ')) bytes.remove_prefix(1);
		options_.at_start = false;
	}
	pending_ += bytes;
	const size_t ready = pending_.size() - unfinishedUtf8(pending_);
	std::string text = repairUtf8(std::string_view(pending_).substr(0, ready));
	pending_.erase(0, ready);
	return text;
}

std::string Detokenizer::finish() {
	std::string text;
	if (!pending_.empty()) text = kReplacementCharacter;
	pending_.clear();
	return text;
}

}  // namespace vkq
