// Metadata -> Modelfile: chat formats that are known by the markers in their Jinja templates, in Go's template language.
#include "ggufio/modelfile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace vkq {

namespace {

struct ChatFormat {
	std::array<std::string_view, 2> markers;   // all must be in the Jinja template
	std::string_view go_template;
	std::vector<std::string_view> stops;
};

/// The more particular ones first.
const std::vector<ChatFormat>& chatFormats() {
	static const std::vector<ChatFormat> formats{
	    {{"<|im_start|>", "<|im_end|>"},
	     "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
	     "{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
	     "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n",
	     {"<|im_start|>", "<|im_end|>"}},
	    {{"<|start_header_id|>", "<|eot_id|>"},
	     "{{ if .System }}<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ end }}"
	     "{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>{{ end }}"
	     "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>",
	     {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}},
	    {{"<start_of_turn>", "<end_of_turn>"},
	     "<start_of_turn>user\n{{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}<end_of_turn>\n"
	     "<start_of_turn>model\n{{ .Response }}<end_of_turn>\n",
	     {"<start_of_turn>", "<end_of_turn>"}},
	    {{"<|user|>", "<|end|>"},
	     "{{ if .System }}<|system|>\n{{ .System }}<|end|>\n{{ end }}"
	     "{{ if .Prompt }}<|user|>\n{{ .Prompt }}<|end|>\n{{ end }}"
	     "<|assistant|>\n{{ .Response }}<|end|>\n",
	     {"<|end|>", "<|user|>", "<|assistant|>"}},
	    {{"[INST]", "<<SYS>>"},
	     "[INST] {{ if .System }}<<SYS>>\n{{ .System }}\n<</SYS>>\n\n{{ end }}{{ .Prompt }} [/INST] {{ .Response }}</s>",
	     {"[INST]", "[/INST]"}},
	    {{"[INST]", "[/INST]"}, "[INST] {{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }} [/INST]{{ .Response }}</s>", {"[INST]", "[/INST]"}},
	};
	return formats;
}

const ChatFormat* findFormat(std::string_view jinja) {
	for (const ChatFormat& format : chatFormats()) {
		if (std::all_of(format.markers.begin(), format.markers.end(), [&](std::string_view marker) { return jinja.find(marker) != jinja.npos; }))
			return &format;
	}
	return nullptr;
}

/// The system message that a ChatML template puts in when there is none: plain text between its markers, inside one literal.
std::optional<std::string> defaultSystem(std::string_view jinja) {
	for (const std::string_view front : {std::string_view("<|im_start|>system\\n"), std::string_view("<|im_start|>system\n")}) {
		for (size_t at = jinja.find(front); at != jinja.npos; at = jinja.find(front, at + 1)) {
			const std::string_view rest = jinja.substr(at + front.size());
			const std::string_view text = rest.substr(0, std::min(rest.find("<|im_end|>"), rest.size()));
			if (!text.empty() && text.size() < rest.size() && text.find_first_of("'\"{}+\\") == text.npos) return std::string(text);
		}
	}
	return std::nullopt;
}

}  // namespace

Modelfile modelfileFor(const Metadata& metadata, const std::string& gguf) {
	Modelfile modelfile;
	modelfile.from = "./" + gguf;
	const std::string_view jinja = metadata.string("tokenizer.chat_template").value_or("");
	if (const ChatFormat* format = findFormat(jinja)) {
		modelfile.chat_template = format->go_template;
		modelfile.system = defaultSystem(jinja);
		for (const std::string_view stop : format->stops) modelfile.parameters.emplace_back("stop", stop);
	}
	constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kSampling{
	    {{"temp", "temperature"}, {"top_k", "top_k"}, {"top_p", "top_p"}, {"min_p", "min_p"}, {"penalty_repeat", "repeat_penalty"}}};
	for (const auto& [key, parameter] : kSampling) {
		const auto value = metadata.number(fmt::format("general.sampling.{}", key));
		if (value && std::isfinite(*value)) modelfile.parameters.emplace_back(parameter, fmt::format("{}", float(*value)));
	}
	return modelfile;
}

}  // namespace vkq
