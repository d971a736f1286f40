// Writes small SentencePiece models.
#pragma once

#include <protozero/pbf_writer.hpp>

#include <string>
#include <vector>

namespace vkq::test {

struct SentencePiece {
	std::string text;
	float score = 0.0f;
	int type = 1;   // 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
};

inline std::string sentencePieceImage(const std::vector<SentencePiece>& pieces, int model_type = 2, bool add_dummy_prefix = true) {
	std::string image;
	protozero::pbf_writer model(image);
	for (const SentencePiece& piece : pieces) {
		std::string bytes;
		protozero::pbf_writer message(bytes);
		message.add_string(1, piece.text);
		message.add_float(2, piece.score);
		if (piece.type != 1) message.add_enum(3, piece.type);
		model.add_message(1, bytes);
	}
	std::string trainer, normalizer;
	protozero::pbf_writer(trainer).add_enum(3, model_type);
	protozero::pbf_writer(normalizer).add_bool(3, add_dummy_prefix);
	model.add_message(2, trainer);
	model.add_message(3, normalizer);
	return image;
}

/// Llama 2 in small: unknown, begin, end, two bytes, characters and their merge.
inline std::string smallSentencePieceImage() {
	return sentencePieceImage({{"<unk>", 0.0f, 2}, {"<s>", 0.0f, 3}, {"</s>", 0.0f, 3}, {"<0x00>", 0.0f, 6}, {"<0x01>", 0.0f, 6},
	                           {"\xe2\x96\x81" "a", -0.0f}, {"ab", -1.0f}, {"a", -2.0f}, {"b", -3.0f}, {"<mark>", 0.0f, 4}});
}

}  // namespace vkq::test
