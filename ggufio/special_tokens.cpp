#include "ggufio/special_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

namespace vkq {

namespace {

struct Role {
	std::string_view name;   // in Hugging Face files: "pad_token", "pad_token_id"
	std::string_view key;    // in GGUF
};

// "seperator" is how GGUF spells it.
constexpr std::array<Role, 9> kRoles{{{"bos", "bos"}, {"eos", "eos"}, {"unk", "unknown"}, {"sep", "seperator"}, {"pad", "padding"},
                                      {"cls", "cls"}, {"mask", "mask"}, {"eot", "eot"}, {"eom", "eom"}}};
constexpr std::array<std::string_view, 5> kTurnEnds{"<|eot_id|>", "<|im_end|>", "<end_of_turn>", "<|end|>", "<|eot|>"};
constexpr std::string_view kMessageEnd = "<|eom_id|>";

class SpecialTokens {
public:
	SpecialTokens(const TokenizerDocuments& documents, const VocabularyDraft& vocabulary) : documents_(documents), vocabulary_(vocabulary) {
		// Where texts repeat, the token that is treated as a whole is meant.
		for (uint64_t id = 0; id < vocabulary.tokens.size(); ++id) {
			const auto [place, fresh] = ids_.emplace(vocabulary.tokens[id], id);
			if (!fresh && vocabulary.kinds[place->second] == GgmlTokenType::Normal) place->second = id;
		}
		for (const std::string_view role : {"bos", "eos", "unk", "sep", "pad", "cls", "mask", "eot", "eom"})
			if (auto text = configured(role)) texts_[std::string(role)] = std::move(*text);
	}

	void find() {
		if (!texts_.contains("bos") && texts_.contains("cls")) texts_["bos"] = texts_["cls"];
		if (!texts_.contains("eos") && texts_.contains("sep")) texts_["eos"] = texts_["sep"];
		readPostProcessor();
		for (const Role& role : kRoles) {
			if (auto add = boolMember(documents_.tokenizer_config, fmt::format("add_{}_token", role.name))) setAdds(role.name, *add);
			if (const auto text = texts_.find(role.name); text != texts_.end()) setId(role.name, idOf(text->second));
		}
		for (const Role& role : kRoles) {
			if (const Json* id = member(documents_.config, fmt::format("{}_token_id", role.name))) setId(role.name, wholeNumber(*id));
		}
		setId("bos", vocabulary_.bos);
		readEnds();
		setId("eos", vocabulary_.eos);
		setId("unk", vocabulary_.unknown);
		setId("pad", vocabulary_.padding);
	}

	void append(Metadata& metadata) const {
		for (const auto& [role, id] : found_) {
			const auto row = std::find_if(kRoles.begin(), kRoles.end(), [&wanted = role](const Role& candidate) { return candidate.name == wanted; });
			metadata.set(fmt::format("tokenizer.ggml.{}_token_id", row->key), uint32_t(id));
		}
		for (const auto& [role, add] : adds_) metadata.set(fmt::format("tokenizer.ggml.add_{}_token", role), add);
	}

private:
	/// "bos_token": a text, or an object with the text as its content.
	std::optional<std::string> configured(std::string_view role) const {
		const std::string key = fmt::format("{}_token", role);
		const Json* entry = member(documents_.tokenizer_config, key);
		if (!entry) return std::nullopt;
		auto text = entry->is_object() ? stringMember(*entry, "content") : stringMember(documents_.tokenizer_config, key);
		if (text && text->empty()) return std::nullopt;
		return text;
	}

	/// The first and last special token that a template puts around a single text.
	void readPostProcessor() {
		const Json* processor = member(documents_.tokenizer, "post_processor");
		if (!processor) return;
		const Json* list = member(*processor, "processors");
		if (!list || !list->is_array()) return readTemplate(*processor);
		for (const Json& item : *list) readTemplate(item);
	}

	void readTemplate(const Json& processor) {
		if (stringMember(processor, "type") != "TemplateProcessing") return;
		const Json* single = member(processor, "single");
		if (!single || !single->is_array() || single->size() < 2) return;
		const auto special = [](const Json& item) {
			const Json* token = member(item, "SpecialToken");
			return token ? stringMember(*token, "id") : std::nullopt;
		};
		if (const auto first = special(single->front())) {
			if (documents_.tokenizer_config.is_null()) texts_["bos"] = *first;
			setAdds("bos", *first == texts_["bos"] || *first == texts_["cls"]);
		}
		if (const auto last = special(single->back())) {
			// A template that ends with another token than the configured end means that one; the configured ends a turn.
			if (!documents_.tokenizer_config.is_null() && texts_.contains("eos") && texts_["eos"] != *last) texts_.emplace("eot", texts_["eos"]);
			texts_["eos"] = *last;
			setAdds("eos", true);
		}
	}

	/// Lists of ends: the first is the end of text if none is known; a token that ends a turn or a message by its name is
	/// kept as such.
	void readEnds() {
		for (const Json* document : {&documents_.config, &documents_.generation_config}) {
			const Json* ends = member(*document, "eos_token_id");
			if (!ends) continue;
			const std::vector<Json> list = ends->is_array() ? ends->get<std::vector<Json>>() : std::vector<Json>{*ends};
			if (!list.empty()) setId("eos", wholeNumber(list.front()));
			for (const Json& value : list) {
				const auto id = wholeNumber(value);
				if (!id || *id >= vocabulary_.tokens.size() || has("eos", *id)) continue;
				const std::string& text = vocabulary_.tokens[*id];
				if (std::find(kTurnEnds.begin(), kTurnEnds.end(), text) != kTurnEnds.end()) setId("eot", id);
				if (text == kMessageEnd) setId("eom", id);
			}
		}
	}

	std::optional<uint64_t> idOf(const std::string& text) const {
		const auto found = ids_.find(text);
		return found == ids_.end() ? std::nullopt : std::optional(found->second);
	}

	bool has(std::string_view role, uint64_t id) const {
		return std::any_of(found_.begin(), found_.end(), [&](const auto& entry) { return entry.first == role && entry.second == id; });
	}

	/// The first that is set counts.
	void setId(std::string_view role, std::optional<uint64_t> id) {
		if (!id || *id >= vocabulary_.tokens.size()) return;
		if (std::none_of(found_.begin(), found_.end(), [&](const auto& entry) { return entry.first == role; })) found_.emplace_back(role, *id);
	}

	/// The last that is set counts.
	void setAdds(std::string_view role, bool add) {
		const auto known = std::find_if(adds_.begin(), adds_.end(), [&](const auto& entry) { return entry.first == role; });
		if (known == adds_.end()) adds_.emplace_back(role, add);
		else known->second = add;
	}

	const TokenizerDocuments& documents_;
	const VocabularyDraft& vocabulary_;
	std::map<std::string_view, uint64_t> ids_;
	std::map<std::string, std::string, std::less<>> texts_;            // role -> text
	std::vector<std::pair<std::string_view, uint64_t>> found_;         // role, id; in the order of the metadata
	std::vector<std::pair<std::string_view, bool>> adds_;
};

}  // namespace

void appendSpecialTokens(const TokenizerDocuments& documents, const VocabularyDraft& vocabulary, Metadata& metadata) {
	SpecialTokens tokens(documents, vocabulary);
	tokens.find();
	tokens.append(metadata);
}

}  // namespace vkq
