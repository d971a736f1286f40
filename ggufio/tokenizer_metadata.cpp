#include "ggufio/tokenizer_metadata.h"

#include "core/text.h"
#include "ggufio/sentencepiece_model.h"
#include "ggufio/special_tokens.h"
#include "ggufio/tokenizer_json.h"

#include <fmt/format.h>

namespace vkq {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxTextBytes = uint64_t(64) << 20;

bool isThere(const fs::path& path) {
	std::error_code ignored;
	return fs::exists(path, ignored);
}

/// JSON's null when there is no such file.
Result<Json> readIfThere(const fs::path& path) {
	if (!isThere(path)) return Json();
	return readJson(path);
}

/// added_tokens.json of older models: text -> id.
Result<std::vector<AddedToken>> readAddedTokensFile(const fs::path& path) {
	std::vector<AddedToken> tokens;
	VKQ_TRY(const Json json, readIfThere(path));
	if (json.is_null()) return tokens;
	if (!json.is_object()) return fail(ErrorCode::kMalformed, fmt::format("{}: is {} where an object of tokens belongs", path.string(), jsonKind(json)));
	for (const auto& [text, value] : json.items()) {
		const auto id = wholeNumber(value);
		if (!id) return fail(ErrorCode::kMalformed, fmt::format("{}: token {} has {} for an id", path.string(), quote(text), jsonKind(value)));
		tokens.push_back({*id, text, false});
	}
	return tokens;
}

/// The trained pieces, then what three files add to them.
Result<VocabularyDraft> readSentencePiece(const fs::path& folder, const HuggingFaceConfig& config, const TokenizerDocuments& documents,
                                     std::vector<std::string>& warnings) {
	const fs::path path = folder / "tokenizer.model";
	VKQ_TRY(const std::string bytes, readText(path, kMaxTextBytes));
	VKQ_TRY(VocabularyDraft vocabulary, readSentencePieceModel(bytes, path.string(), config.n_vocab, warnings));

	VKQ_TRY(const auto from_file, readAddedTokensFile(folder / "added_tokens.json"));
	VKQ_TRY(const auto from_config, readAddedTokensDecoder(documents.tokenizer_config, (folder / "tokenizer_config.json").string()));
	VKQ_TRY(const auto from_tokenizer, readAddedTokens(documents.tokenizer, (folder / "tokenizer.json").string()));
	uint64_t left_out = vocabulary.add(from_file) + vocabulary.add(from_config);
	// tokenizer.json repeats them; it counts where nothing else says what was added, and for phi-3.
	if (from_config.empty() || config.family == HuggingFaceFamily::Phi3) left_out += vocabulary.add(from_tokenizer);
	if (left_out) {
		warnings.push_back(fmt::format("{}: {} added tokens have ids beyond the model's {} and are left out", folder.string(), left_out, config.n_vocab));
	}
	return vocabulary;
}

Result<VocabularyDraft> readVocabulary(const fs::path& folder, const HuggingFaceConfig& config, const TokenizerDocuments& documents,
                                  std::vector<std::string>& warnings) {
	if (isThere(folder / "tokenizer.model")) {
		auto vocabulary = readSentencePiece(folder, config, documents, warnings);
		// Other programs give other things the same name.
		if (vocabulary || vocabulary.error().code != ErrorCode::kMalformed || documents.tokenizer.is_null()) return vocabulary;
		warnings.push_back(vocabulary.error().message + "; tokenizer.json is used instead");
	}
	if (documents.tokenizer.is_null()) {
		return fail(ErrorCode::kNotFound, fmt::format("{}: neither tokenizer.json nor tokenizer.model is there", folder.string()),
		            "a GGUF holds its tokenizer: download the model's tokenizer files too");
	}
	const std::string path = (folder / "tokenizer.json").string();
	VKQ_TRY(VocabularyDraft vocabulary, readTokenizerJson(documents.tokenizer, path, config.n_vocab, warnings));
	// What tokenizer_config.json adds beyond tokenizer.json.
	VKQ_TRY(std::vector<AddedToken> added, readAddedTokensDecoder(documents.tokenizer_config, (folder / "tokenizer_config.json").string()));
	std::erase_if(added, [&](const AddedToken& token) { return token.id >= config.n_vocab || vocabulary.kinds[token.id] != GgmlTokenType::Unused; });
	vocabulary.add(added);
	return vocabulary;
}

/// The file that newer models have beside the config; null when there is none.
Result<Json> readTemplateFile(const fs::path& folder) {
	if (isThere(folder / "chat_template.jinja")) {
		VKQ_TRY(std::string text, readText(folder / "chat_template.jinja", kMaxTextBytes));
		return Json(std::move(text));
	}
	VKQ_TRY(const Json json, readIfThere(folder / "chat_template.json"));
	const Json* text = member(json, "chat_template");
	return text ? *text : Json();
}

/// One template, or a list of named ones of which "default" is the one without a name.
Result<void> appendChatTemplates(const fs::path& folder, const Json& tokenizer_config, Metadata& metadata) {
	VKQ_TRY(const Json from_file, readTemplateFile(folder));
	const Json* templates = member(tokenizer_config, "chat_template");
	if (!templates) templates = &from_file;
	if (templates->is_string()) metadata.set("tokenizer.chat_template", templates->get<std::string>());
	if (!templates->is_array()) return {};
	std::vector<std::string> names;
	for (const Json& item : *templates) {
		const auto name = stringMember(item, "name"), text = stringMember(item, "template");
		if (!name || !text) continue;
		if (*name == "default") {
			metadata.set("tokenizer.chat_template", *text);
			continue;
		}
		names.push_back(*name);
		metadata.set("tokenizer.chat_template." + *name, *text);
	}
	if (!names.empty()) metadata.set("tokenizer.chat_templates", MetaArray(std::move(names)));
	return {};
}

void appendSampling(const Json& generation_config, Metadata& metadata) {
	if (const Json* top_k = member(generation_config, "top_k")) {
		if (const auto value = wholeNumber(*top_k); value && *value <= INT32_MAX) metadata.set("general.sampling.top_k", int32_t(*value));
	}
	constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNumbers{
	    {{"top_p", "top_p"}, {"min_p", "min_p"}, {"temperature", "temp"}, {"penalty_repeat", "penalty_repeat"}}};
	for (const auto& [name, key] : kNumbers) {
		const Json* value = member(generation_config, name);
		if (!value || !value->is_number()) continue;
		if (const double number = value->get<double>(); number >= 0.0 && number <= 1e6)
			metadata.set(fmt::format("general.sampling.{}", key), float(number));
	}
}

void appendVocabulary(VocabularyDraft vocabulary, Metadata& metadata) {
	std::vector<int32_t> kinds;
	for (const GgmlTokenType kind : vocabulary.kinds) kinds.push_back(int32_t(kind));
	metadata.set("tokenizer.ggml.model", std::move(vocabulary.model));
	metadata.set("tokenizer.ggml.pre", std::move(vocabulary.pre));
	metadata.set("tokenizer.ggml.tokens", MetaArray(std::move(vocabulary.tokens)));
	if (!vocabulary.scores.empty()) metadata.set("tokenizer.ggml.scores", MetaArray(std::move(vocabulary.scores)));
	metadata.set("tokenizer.ggml.token_type", MetaArray(std::move(kinds)));
	if (!vocabulary.merges.empty()) metadata.set("tokenizer.ggml.merges", MetaArray(std::move(vocabulary.merges)));
}

}  // namespace

Result<void> appendTokenizerMetadata(const fs::path& folder, const HuggingFaceConfig& config, Metadata& metadata,
                                     std::vector<std::string>& warnings) {
	TokenizerDocuments documents;
	documents.config = config.json;
	VKQ_TRY(documents.tokenizer, readIfThere(folder / "tokenizer.json"));
	VKQ_TRY(documents.tokenizer_config, readIfThere(folder / "tokenizer_config.json"));
	VKQ_TRY(documents.generation_config, readIfThere(folder / "generation_config.json"));
	VKQ_TRY(const VocabularyDraft vocabulary, readVocabulary(folder, config, documents, warnings));

	appendSampling(documents.generation_config, metadata);
	const auto prefix = boolMember(documents.tokenizer_config, "add_prefix_space");
	if (config.arch == "llama" && prefix) metadata.set("tokenizer.ggml.add_space_prefix", *prefix);
	appendVocabulary(vocabulary, metadata);
	appendSpecialTokens(documents, vocabulary, metadata);
	VKQ_CHECK(appendChatTemplates(folder, documents.tokenizer_config, metadata));

	const bool sentence_piece = vocabulary.model == "llama";
	if (config.gemma() && sentence_piece) metadata.set("tokenizer.ggml.add_space_prefix", false);
	else if (vocabulary.add_space_prefix && !metadata.contains("tokenizer.ggml.add_space_prefix"))
		metadata.set("tokenizer.ggml.add_space_prefix", *vocabulary.add_space_prefix);
	// The reference knows SmolLM (and small Granites) by the size of their vocabulary: their text begins with no token of its own.
	constexpr uint64_t kSmolVocabulary = 49152;
	if (config.arch == "llama" && config.n_vocab == kSmolVocabulary) metadata.set("tokenizer.ggml.add_bos_token", false);
	return {};
}

}  // namespace vkq
