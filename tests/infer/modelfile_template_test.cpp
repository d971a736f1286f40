#include "infer/modelfile_template.h"

#include <gtest/gtest.h>

using namespace vkq;

namespace {

const std::vector<ChatMessage> kQuestion = {{"system", "S"}, {"user", "U"}};
const std::vector<ChatMessage> kChat = {{"system", "S"}, {"user", "U"}, {"assistant", "A"}, {"user", "V"}};

std::string rendered(std::string_view text, const std::vector<ChatMessage>& chat = kChat, const ChatOptions& options = {}) {
	auto parsed = ModelfileTemplate::parse(text);
	if (!parsed.ok()) return "error: " + parsed.error().message;
	auto segments = parsed->render(chat, options);
	if (!segments.ok()) return "error: " + segments.error().message;
	std::string all;
	for (const TextSegment& segment : *segments) all += segment.text;
	return all;
}

}  // namespace

TEST(ModelfileTemplate, AppliesATurnwiseTemplateTurnAfterTurn) {
	const std::string text = "{{ if .System }}<|system|>\n{{ .System }}<|end|>\n{{ end }}{{ if .Prompt }}<|user|>\n{{ .Prompt }}<|end|>\n{{ end }}<|assistant|>\n"
	                         "{{ .Response }}<|end|>\n";
	EXPECT_EQ(rendered(text), "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\n");
	EXPECT_EQ(rendered(text, kQuestion, {.add_generation_prompt = false}), "<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\n<|end|>\n");
	EXPECT_EQ(rendered(text, {{"user", "U"}, {"assistant", "A"}}), "<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n");
}

TEST(ModelfileTemplate, PutsAnswersAtTheEndWhereTheTemplateDoesNot) {
	EXPECT_EQ(rendered("[INST] {{ .Prompt }} [/INST]"), "[INST] U [/INST]A[INST] V [/INST]");
}

TEST(ModelfileTemplate, RendersAWholeChatOverItsMessages) {
	const std::string text = R"({{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
)";
	EXPECT_EQ(rendered(text),
	          "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n"
	          "<|im_start|>assistant\n");
}

TEST(ModelfileTemplate, ComparesRoles) {
	const std::string text = R"({{- if .System }}[{{ .System }}]{{ end }}{{ range .Messages }}{{ if eq .Role "user" }}u:{{ .Content }}
	{{- else if and (eq .Role "assistant") .Content }}a:{{ .Content }}{{- else }}-{{ end }};{{ end }})";
	EXPECT_EQ(rendered(text), "[S]-;u:U;a:A;u:V;");
	EXPECT_EQ(rendered("{{ range .Messages }}{{ if eq .Role \"system\" \"user\" }}1{{ else }}2{{ end }}{{ end }}"), "1121");
	EXPECT_EQ(rendered("{{ range .Messages }}{{ if ne .Role `user` }}{{ $.System }}{{ end }}{{ end }}"), "SS");
	EXPECT_EQ(rendered("{{ range .Messages }}{{ if not (or (eq .Role \"user\") (eq .Role \"system\")) }}{{ .Content }}{{ end }}{{ end }}"), "A");
}

TEST(ModelfileTemplate, TrimsAsGoDoes) {
	EXPECT_EQ(rendered("a \n {{- .Prompt -}} \n b{{ .Response }}", kQuestion), "aUb");
	EXPECT_EQ(rendered("a {{ .Prompt }} b{{ .Response }}", kQuestion), "a U b");
	EXPECT_EQ(rendered("a {{- /* a comment }} */ -}} b{{ .Prompt }}", kQuestion), "abU");
	EXPECT_EQ(rendered("{{.Prompt}}", kQuestion), "U");
}

TEST(ModelfileTemplate, PrintsStringsAndDefaults) {
	EXPECT_EQ(rendered("{{ or .System \"none\\n\" }}{{ .Prompt }}", {{"user", "U"}}), "none\nU");
	EXPECT_EQ(rendered("{{ \"}}\" }}{{ .Prompt }}", {{"user", "U"}}), "}}U");
	EXPECT_EQ(rendered("{{ if .Tools }}t{{ end }}{{ if .Suffix }}s{{ end }}{{ .Prompt }}", {{"user", "U"}}), "U");
}

TEST(ModelfileTemplate, StopsAtTheResponseWithinAnIf) {
	EXPECT_EQ(rendered("{{ if .Prompt }}<u>{{ .Prompt }}<a>{{ .Response }}<end>{{ end }}tail", kQuestion), "<u>U<a>");
}

TEST(ModelfileTemplate, JoinsMessagesOfOneRole) {
	EXPECT_EQ(rendered("{{ .System }}|{{ .Prompt }}|", {{"system", "1"}, {"system", "2"}, {"user", "3"}, {"user", "4"}}), "1\n\n2|3\n\n4|");
}

TEST(ModelfileTemplate, TrustsItsOwnTextOnly) {
	auto parsed = ModelfileTemplate::parse("<s>{{ .System }}{{ \"<x>\" }}{{ .Prompt }}</s>");
	ASSERT_TRUE(parsed.ok());
	const auto segments = parsed->render(kQuestion);
	ASSERT_TRUE(segments.ok());
	EXPECT_EQ(*segments, (std::vector<TextSegment>{{"<s>", true}, {"S", false}, {"<x>", true}, {"U", false}, {"</s>", true}}));
}

TEST(ModelfileTemplate, NamesWhatItDoesNotKnow) {
	for (const char* text : {"{{ len .Messages }}", "{{ .Prompt | upper }}", "{{ $x := .Prompt }}", "{{ range $i, $m := .Messages }}{{ end }}", "{{ .Unknown }}",
	                         "{{ . }}", "{{ range .Messages }}{{ .System }}{{ end }}", "{{ .Role }}", "{{ range .System }}{{ end }}", "{{ template \"x\" }}",
	                         "{{ end }}", "{{ else }}", "{{ if .Prompt }}{{ else }}{{ else }}{{ end }}", "{{ }}", "{{ .Messages }}", "{{ eq .Prompt }}",
	                         "{{ not }}", "{{ (eq .Prompt \"a\" }}", "{{ \"\\x\" }}", "{{ if }}x{{ end }}", "{{ .Prompt .System }}", "{{ range .Messages }}{{ else if .System }}{{ end }}",
	                         "{{ with .Prompt }}{{ end }}", "{{ if .Prompt }}{{ end .System }}", "{{ if .Prompt }}a{{ else end }}"}) {
		const auto parsed = ModelfileTemplate::parse(text);
		ASSERT_FALSE(parsed.ok()) << text;
		EXPECT_EQ(parsed.error().code, ErrorCode::kUnsupported) << text;
		EXPECT_NE(parsed.error().message.find("unsupported template construct"), std::string::npos) << parsed.error().message;
	}
	EXPECT_EQ(rendered("a\nb {{ .Prompt }}\n{{ json .Prompt }}"), "error: TEMPLATE, line 3: unsupported template construct {{ json .Prompt }}: json is not known");
}

TEST(ModelfileTemplate, RefusesWhatDoesNotEnd) {
	for (const char* text : {"{{ .Prompt", "{{ if .Prompt }}", "{{ range .Messages }}a", "{{ if .Prompt }}{{ else }}", "{{ \"abc }}", "{{ /* }}", "", "{{"}) {
		const auto parsed = ModelfileTemplate::parse(text);
		ASSERT_FALSE(parsed.ok()) << text;
		EXPECT_EQ(parsed.error().code, ErrorCode::kMalformed) << text << ": " << parsed.error().message;
	}
	std::string deep;
	for (int i = 0; i < 10000; ++i) deep += "{{ if .Prompt }}";
	EXPECT_FALSE(ModelfileTemplate::parse(deep).ok());
	std::string parentheses = "{{ if " + std::string(10000, '(');
	EXPECT_FALSE(ModelfileTemplate::parse(parentheses + " }}{{ end }}").ok());
	std::string chain = "{{ if .Prompt }}";
	for (int i = 0; i < 10000; ++i) chain += "{{ else if .Prompt }}";
	EXPECT_FALSE(ModelfileTemplate::parse(chain + "{{ end }}").ok());
}

TEST(ModelfileTemplate, RefusesAnEmptyChatAndUnknownRoles) {
	const auto parsed = ModelfileTemplate::parse("{{ .Prompt }}");
	ASSERT_TRUE(parsed.ok());
	EXPECT_EQ(parsed->render({}).error().code, ErrorCode::kUsage);
	EXPECT_EQ(parsed->render(std::vector<ChatMessage>{{"tool", "x"}}).error().code, ErrorCode::kUsage);
}
