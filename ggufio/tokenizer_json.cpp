#include "ggufio/tokenizer_json.h"

#include "core/text.h"
#include "ggufio/pre_tokenizer.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>

namespace vkq {

namespace {

constexpr std::string_view kByteLevelSpace = "\xc4\xa0";  // U+0120, what byte-level BPE writes for a space

/// Whether a component, or one inside a sequence of them, is of a type.
bool hasType(const Json* component, std::string_view type) {
	if (!component) return false;
	if (stringMember(*component, "type") == type) return true;
	for (const std::string_view list : {"pretokenizers", "normalizers", "decoders"}) {
		const Json* inner = member(*component, list);
		if (!inner || !inner->is_array()) continue;
		for (const Json& item : *inner)
			if (hasType(&item, type)) return true;
	}
	return false;
}

/// "<0x0A>"
bool isByteToken(std::string_view token) {
	const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'); };
	return token.size() == 6 && token.starts_with("<0x") && token[5] == '>' && hex(token[3]) && hex(token[4]);
}

/// A merge as its two sides.
struct Merge {
	std::string left, right;
};

Result<std::vector<Merge>> readMerges(const Json& model, std::string_view file) {
	std::vector<Merge> merges;
	const Json* list = member(model, "merges");
	if (!list) return merges;
	if (!list->is_array()) return fail(ErrorCode::kMalformed, fmt::format("{}: merges are {} where a list belongs", file, jsonKind(*list)));
	merges.reserve(list->size());
	for (size_t i = 0; i < list->size(); ++i) {
		const Json& item = (*list)[i];
		if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
			merges.push_back({item[0].get<std::string>(), item[1].get<std::string>()});
		} else if (item.is_string()) {
			const std::string& text = item.get_ref<const std::string&>();
			const size_t space = text.find(' ', 1);   // a side is never empty
			if (space == text.npos || space + 1 == text.size())
				return fail(ErrorCode::kMalformed, fmt::format("{}: merge {} is {}, not two tokens", file, i, quote(text)));
			merges.push_back({text.substr(0, space), text.substr(space + 1)});
		} else {
			return fail(ErrorCode::kMalformed, fmt::format("{}: merge {} is {}, not two tokens", file, i, jsonKind(item)));
		}
	}
	return merges;
}

std::string joined(const Merge& merge) {
	const auto without_spaces = [](const std::string& side) {
		std::string out;
		for (const char c : side) c == ' ' ? out += kByteLevelSpace : out += c;
		return out;
	};
	return without_spaces(merge.left) + ' ' + without_spaces(merge.right);
}

/// Fills the vocabulary from model.vocab; the number of ids beyond its end.
Result<uint64_t> readTokens(const Json& model, std::string_view file, VocabularyDraft& vocabulary) {
	const Json* vocab = member(model, "vocab");
	if (!vocab || !vocab->is_object()) return fail(ErrorCode::kMalformed, fmt::format("{}: model.vocab is no object of tokens", file));
	uint64_t left_out = 0;
	for (const auto& [token, id_value] : vocab->items()) {
		const auto id = wholeNumber(id_value);
		if (!id) return fail(ErrorCode::kMalformed, fmt::format("{}: token {} has {} for an id", file, quote(token), jsonKind(id_value)));
		if (*id >= vocabulary.tokens.size()) {
			++left_out;
			continue;
		}
		if (vocabulary.kinds[*id] != GgmlTokenType::Unused) {
			const std::string& other = vocabulary.tokens[*id];
			return fail(ErrorCode::kMalformed, fmt::format("{}: tokens {} and {} have the same id, {}", file, quote(other), quote(token), *id));
		}
		vocabulary.tokens[*id] = token;
		vocabulary.kinds[*id] = GgmlTokenType::Normal;
	}
	return left_out;
}

/// What a SentencePiece model has and BPE does not: scores, and kinds of the byte and unknown tokens.
void scoreByMerges(const Json& model, const std::vector<Merge>& merges, VocabularyDraft& vocabulary) {
	std::map<std::string_view, uint64_t> ids;   // ordered: nobody can aim a file at a hash
	for (uint64_t id = 0; id < vocabulary.tokens.size(); ++id)
		if (vocabulary.kinds[id] == GgmlTokenType::Normal) ids.emplace(vocabulary.tokens[id], id);

	const float unmerged = -float(merges.size());
	for (const auto& [token, id] : ids) {
		vocabulary.scores[id] = unmerged;
		if (isByteToken(token)) vocabulary.kinds[id] = GgmlTokenType::Byte;
	}
	for (size_t rank = 0; rank < merges.size(); ++rank) {
		const auto found = ids.find(merges[rank].left + merges[rank].right);
		if (found != ids.end() && vocabulary.scores[found->second] == unmerged) vocabulary.scores[found->second] = -float(rank);
	}
	if (const auto unknown = stringMember(model, "unk_token")) {
		if (const auto found = ids.find(*unknown); found != ids.end()) {
			vocabulary.kinds[found->second] = GgmlTokenType::Unknown;
			vocabulary.unknown = found->second;
		}
	}
}

/// Whether text gets a space in front, as Prepend or Metaspace say.
bool prependsSpace(const Json& tokenizer) {
	if (hasType(member(tokenizer, "normalizer"), "Prepend")) return true;
	const Json* pre_tokenizer = member(tokenizer, "pre_tokenizer");
	if (!pre_tokenizer || stringMember(*pre_tokenizer, "type") != "Metaspace") return false;
	const auto scheme = stringMember(*pre_tokenizer, "prepend_scheme");
	return scheme ? *scheme != "never" : boolMember(*pre_tokenizer, "add_prefix_space").value_or(true);
}

}  // namespace

Result<std::vector<AddedToken>> readAddedTokens(const Json& tokenizer, std::string_view file) {
	std::vector<AddedToken> tokens;
	const Json* list = member(tokenizer, "added_tokens");
	if (!list) return tokens;
	if (!list->is_array()) return fail(ErrorCode::kMalformed, fmt::format("{}: added_tokens are {} where a list belongs", file, jsonKind(*list)));
	for (const Json& item : *list) {
		const Json* id_value = member(item, "id");
		const auto id = id_value ? wholeNumber(*id_value) : std::nullopt;
		auto text = stringMember(item, "content");
		if (!id || !text) return fail(ErrorCode::kMalformed, fmt::format("{}: added token {} has no usable id and content", file, tokens.size()));
		tokens.push_back({*id, std::move(*text), boolMember(item, "special").value_or(false)});
	}
	return tokens;
}

Result<std::vector<AddedToken>> readAddedTokensDecoder(const Json& tokenizer_config, std::string_view file) {
	std::vector<AddedToken> tokens;
	const Json* decoder = member(tokenizer_config, "added_tokens_decoder");
	if (!decoder) return tokens;
	if (!decoder->is_object())
		return fail(ErrorCode::kMalformed, fmt::format("{}: added_tokens_decoder is {} where an object belongs", file, jsonKind(*decoder)));
	for (const auto& [key, item] : decoder->items()) {
		AddedToken token;
		const auto [end, status] = std::from_chars(key.data(), key.data() + key.size(), token.id);
		auto text = stringMember(item, "content");
		if (status != std::errc() || end != key.data() + key.size() || !text)
			return fail(ErrorCode::kMalformed, fmt::format("{}: added_tokens_decoder: entry {} is not an id with a content", file, quote(key)));
		token.text = std::move(*text);
		token.special = boolMember(item, "special").value_or(false);
		tokens.push_back(std::move(token));
	}
	return tokens;
}

Result<VocabularyDraft> readTokenizerJson(const Json& tokenizer, std::string_view file, uint64_t n_vocab, std::vector<std::string>& warnings) {
	const Json* model = member(tokenizer, "model");
	if (!model || !model->is_object()) return fail(ErrorCode::kMalformed, fmt::format("{}: has no model", file));
	// Old files leave the type out; only BPE has merges.
	const std::string type = stringMember(*model, "type").value_or(member(*model, "merges") ? "BPE" : "");
	if (type != "BPE") {
		return fail(ErrorCode::kUnsupported, fmt::format("{}: a tokenizer of type {} is not supported", file, quote(type)),
		            "supported: BPE here, or a SentencePiece tokenizer.model beside it");
	}

	const bool byte_level = hasType(member(tokenizer, "pre_tokenizer"), "ByteLevel") || hasType(member(tokenizer, "decoder"), "ByteLevel");
	if (!byte_level && !boolMember(*model, "byte_fallback").value_or(false))
		return fail(ErrorCode::kUnsupported, fmt::format("{}: BPE that is neither byte-level nor falls back to bytes is not supported", file));

	VocabularyDraft vocabulary = VocabularyDraft::ofHoles(byte_level ? "gpt2" : "llama", n_vocab);
	VKQ_TRY(uint64_t left_out, readTokens(*model, file, vocabulary));
	VKQ_TRY(const std::vector<Merge> merges, readMerges(*model, file));
	if (byte_level) {
		vocabulary.merges.reserve(merges.size());
		for (const Merge& merge : merges) vocabulary.merges.push_back(joined(merge));
		if (const auto pre = preTokenizerName(tokenizer)) {
			vocabulary.pre = *pre;
		} else {
			warnings.push_back(fmt::format("{}: the rules by which it cuts text are not among those that GGUF names: 'default' is written, "
			                               "and some texts will be tokenized differently", file));
		}
	} else {
		scoreByMerges(*model, merges, vocabulary);
		if (!prependsSpace(tokenizer)) vocabulary.add_space_prefix = false;
	}
	VKQ_TRY(const std::vector<AddedToken> added, readAddedTokens(tokenizer, file));
	left_out += vocabulary.add(added);
	if (left_out) warnings.push_back(fmt::format("{}: {} tokens have ids beyond the model's {} and are left out", file, left_out, n_vocab));
	return vocabulary;
}

}  // namespace vkq
