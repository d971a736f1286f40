#include "ggufio/sentencepiece_model.h"

#include "core/text.h"

#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>

#include <cmath>

namespace vkq {

namespace {

constexpr uint64_t kMaxPieces = uint64_t(1) << 22;

struct Piece {
	std::string text;
	float score = 0.0f;
	int32_t type = 1;
};

struct Model {
	std::vector<Piece> pieces;
	int32_t model_type = 1;   // 1 unigram, 2 BPE
	int32_t unknown = 0, bos = 1, eos = 2, padding = -1;   // -1: none
	bool add_dummy_prefix = true;
};

// Field types are checked where a tag is matched: a field of another wire type is skipped as unknown.
using protozero::pbf_wire_type;
constexpr auto kVarint = pbf_wire_type::varint, kBytes = pbf_wire_type::length_delimited, kFixed32 = pbf_wire_type::fixed32;

constexpr uint32_t field(uint32_t tag, pbf_wire_type type) { return protozero::tag_and_type(tag, type); }

Piece readPiece(protozero::pbf_reader message) {
	Piece piece;
	while (message.next()) {
		switch (message.tag_and_type()) {
		case field(1, kBytes): piece.text = message.get_string(); break;
		case field(2, kFixed32): piece.score = message.get_float(); break;
		case field(3, kVarint): piece.type = message.get_enum(); break;
		default: message.skip();
		}
	}
	return piece;
}

void readTrainer(protozero::pbf_reader message, Model& model) {
	while (message.next()) {
		switch (message.tag_and_type()) {
		case field(3, kVarint): model.model_type = message.get_enum(); break;
		case field(40, kVarint): model.unknown = message.get_int32(); break;
		case field(41, kVarint): model.bos = message.get_int32(); break;
		case field(42, kVarint): model.eos = message.get_int32(); break;
		case field(43, kVarint): model.padding = message.get_int32(); break;
		default: message.skip();
		}
	}
}

void readNormalizer(protozero::pbf_reader message, Model& model) {
	while (message.next()) {
		// Not get_bool(): that one looks at its byte before it asks whether there is one.
		if (message.tag_and_type() == field(3, kVarint)) model.add_dummy_prefix = message.get_uint64() != 0;
		else message.skip();
	}
}

Result<Model> readModel(std::string_view bytes, std::string_view file) {
	Model model;
	try {
		protozero::pbf_reader message(bytes.data(), bytes.size());
		while (message.next()) {
			switch (message.tag_and_type()) {
			case field(1, kBytes):
				if (model.pieces.size() == kMaxPieces) return fail(ErrorCode::kMalformed, fmt::format("{}: has more than {} pieces", file, kMaxPieces));
				model.pieces.push_back(readPiece(message.get_message()));
				break;
			case field(2, kBytes): readTrainer(message.get_message(), model); break;
			case field(3, kBytes): readNormalizer(message.get_message(), model); break;
			default: message.skip();
			}
		}
	} catch (const protozero::exception& error) {
		return fail(ErrorCode::kMalformed, fmt::format("{}: not a SentencePiece model: {} after {} pieces", file, error.what(), model.pieces.size()));
	}
	if (model.pieces.empty()) return fail(ErrorCode::kMalformed, fmt::format("{}: not a SentencePiece model: it has no pieces", file));
	return model;
}

GgmlTokenType kindOf(int32_t type) {
	switch (type) {
	case 2: return GgmlTokenType::Unknown;
	case 3: return GgmlTokenType::Control;
	case 4: return GgmlTokenType::UserDefined;
	case 5: return GgmlTokenType::Unused;
	case 6: return GgmlTokenType::Byte;
	default: return GgmlTokenType::Normal;
	}
}

}  // namespace

Result<VocabularyDraft> readSentencePieceModel(std::string_view bytes, std::string_view file, uint64_t n_vocab, std::vector<std::string>& warnings) {
	VKQ_TRY(Model model, readModel(bytes, file));
	VocabularyDraft vocabulary = VocabularyDraft::ofHoles("llama", n_vocab);
	for (uint64_t id = 0; id < model.pieces.size() && id < n_vocab; ++id) {
		Piece& piece = model.pieces[id];
		if (!std::isfinite(piece.score))
			return fail(ErrorCode::kInvalidData, fmt::format("{}: piece {} ({}) has a score that is no number", file, id, quote(piece.text)));
		vocabulary.tokens[id] = std::move(piece.text);
		vocabulary.scores[id] = piece.score;
		vocabulary.kinds[id] = kindOf(piece.type);
	}
	if (model.pieces.size() > n_vocab)
		warnings.push_back(fmt::format("{}: {} tokens have ids beyond the model's {} and are left out", file, model.pieces.size() - n_vocab, n_vocab));
	if (model.model_type != 2)
		warnings.push_back(fmt::format("{}: is no BPE model: GGUF's tokenizer merges by score, which can differ from what it was trained for", file));

	const auto id = [&](int32_t value) { return value >= 0 && uint64_t(value) < n_vocab ? std::optional<uint64_t>(value) : std::nullopt; };
	vocabulary.unknown = id(model.unknown);
	vocabulary.bos = id(model.bos);
	vocabulary.eos = id(model.eos);
	vocabulary.padding = id(model.padding);
	if (!model.add_dummy_prefix) vocabulary.add_space_prefix = false;
	return vocabulary;
}

}  // namespace vkq
