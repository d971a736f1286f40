// Any text as a Modelfile's TEMPLATE. What is accepted renders, and contents stay contents.

#include "infer/modelfile_template.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const auto parsed = ModelfileTemplate::parse(std::string_view(reinterpret_cast<const char*>(data), size));
	if (!parsed.ok()) {
		if (parsed.error().message.empty()) std::abort();
		return 0;
	}
	const std::vector<ChatMessage> chat = {{"system", "\x01S"}, {"user", "\x01U"}, {"assistant", "\x01"}, {"user", ""}};
	for (const bool generate : {true, false}) {
		const auto segments = parsed->render(chat, {.add_generation_prompt = generate});
		if (!segments.ok()) std::abort();
		for (const TextSegment& segment : *segments) {
			const bool from_template = std::string_view(reinterpret_cast<const char*>(data), size).find('\x01') != std::string_view::npos;
			if (segment.parse_special && !from_template && segment.text.find('\x01') != std::string::npos) std::abort();
		}
	}
	return 0;
}
