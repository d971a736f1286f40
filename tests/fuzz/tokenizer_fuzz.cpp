// Any bytes as a GGUF file's tokenizer. What is accepted must encode any text, its own tokens' and the file's bytes among them,
// into tokens that exist, and give them back.

#include "ggufio/gguf_reader.h"
#include "infer/chat_template.h"
#include "infer/detokenizer.h"
#include "infer/utf8.h"

#include <algorithm>
#include <cstdlib>

using namespace vkq;

namespace {

void require(bool condition) {
	if (!condition) std::abort();
}

void tryText(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
	const auto tokens = tokenizer.encode(text, true, parse_special);
	require(tokens.ok());
	Detokenizer stream(tokenizer, {.show_control = true, .at_start = true});
	std::string shown;
	for (const Token token : *tokens) {
		require(token >= 0 && uint32_t(token) < tokenizer.size());
		shown += stream.push(token);
	}
	shown += stream.finish();
	require(isUtf8(shown));
	(void)tokenizer.decode(*tokens);
	if (parse_special) return;
	const TokenizerVocabulary& vocabulary = tokenizer.vocabulary();
	const size_t added = size_t(vocabulary.add_bos && vocabulary.bos != kNoToken) + size_t(vocabulary.add_eos && vocabulary.eos != kNoToken);
	const auto controls = std::count_if(tokens->begin(), tokens->end(), [&](Token token) { return vocabulary.kinds[token] == TokenKind::kControl; });
	const bool unknown_is_control = vocabulary.unknown != kNoToken && vocabulary.kinds[vocabulary.unknown] == TokenKind::kControl;
	require(unknown_is_control || size_t(controls) <= added);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const std::string_view bytes(reinterpret_cast<const char*>(data), size);
	const auto file = GgufFile::parse(Bytes(reinterpret_cast<const std::byte*>(data), size), "fuzz.gguf");
	if (!file.ok()) return 0;
	const auto tokenizer = Tokenizer::fromMetadata(file->metadata(), "fuzz.gguf");
	if (!tokenizer.ok()) {
		require(tokenizer.error().message.starts_with("fuzz.gguf: "));
		return 0;
	}
	std::string own;
	for (const std::string& text : tokenizer->vocabulary().texts) {
		own += text + " " + text;
		if (own.size() > 8192) break;
	}
	for (const bool parse_special : {false, true}) {
		tryText(*tokenizer, own, parse_special);
		tryText(*tokenizer, bytes, parse_special);
		tryText(*tokenizer, "ab abab\n\n 123 <x>", parse_special);
	}
	const ChatTemplate chat = ChatTemplate::detect(file->metadata(), *tokenizer);
	const auto segments = chat.render(std::vector<ChatMessage>{{"system", own}, {"user", "</think>"}, {"assistant", own}});
	require(segments.ok() && tokenizer->encode(*segments).ok());
	return 0;
}
