#include "ggufio/modelfile.h"

#include <gtest/gtest.h>

using namespace vkq;

namespace {

std::string errorOf(std::string_view text) {
	const auto modelfile = parseModelfile(text, "Modelfile");
	return modelfile.ok() ? "(no error)" : modelfile.error().message;
}

}  // namespace

TEST(Modelfile, ReadsEveryCommand) {
	const auto modelfile = parseModelfile("# a model\n"
	                                      "from ./a model.gguf  \r\n"
	                                      "\n"
	                                      "TEMPLATE \"\"\"{{ .System }}\n"
	                                      "\"quoted\" {{ .Prompt }}\n"
	                                      "\"\"\"\n"
	                                      "SYSTEM You are brief.\n"
	                                      "PARAMETER temperature 0.7\n"
	                                      "PARAMETER stop \"<|im_end|>\"\n"
	                                      "PARAMETER stop \" User:\"\n"
	                                      "  Parameter temperature 0.5\n"
	                                      "MESSAGE user Hello there\n"
	                                      "MESSAGE assistant \"\"\"Hi\"\"\"\n"
	                                      "LICENSE \"two\n"
	                                      "lines\"\n"
	                                      "ADAPTER ./lora.gguf",
	                                      "Modelfile");
	ASSERT_TRUE(modelfile.ok()) << modelfile.error().message;
	EXPECT_EQ(modelfile->from, "./a model.gguf");
	EXPECT_EQ(modelfile->chat_template, "{{ .System }}\n\"quoted\" {{ .Prompt }}\n");
	EXPECT_EQ(modelfile->system, "You are brief.");
	EXPECT_EQ(modelfile->parameter("temperature"), "0.5");
	EXPECT_EQ(modelfile->parameter("top_k"), std::nullopt);
	EXPECT_EQ(modelfile->parameters[1], (std::pair<std::string, std::string>("stop", "<|im_end|>")));
	EXPECT_EQ(modelfile->parameters[2].second, " User:");
	EXPECT_EQ(modelfile->messages, (std::vector<std::pair<std::string, std::string>>{{"user", "Hello there"}, {"assistant", "Hi"}}));
	EXPECT_EQ(modelfile->licenses, std::vector<std::string>{"two\nlines"});
	EXPECT_EQ(modelfile->adapters, std::vector<std::string>{"./lora.gguf"});
}

TEST(Modelfile, NamesTheLineThatIsWrong) {
	EXPECT_EQ(errorOf(""), "Modelfile: has no FROM");
	EXPECT_EQ(errorOf("FROM a\nRUN b\n"), "Modelfile: line 2: 'RUN' is no command of a Modelfile");
	EXPECT_EQ(errorOf("FROM a\nFROM b\n"), "Modelfile: line 2: FROM is given twice");
	EXPECT_EQ(errorOf("FROM\n"), "Modelfile: line 1: FROM needs a path");
	EXPECT_EQ(errorOf("FROM a\nPARAMETER stop\n"), "Modelfile: line 2: PARAMETER needs a name and a value");
	EXPECT_EQ(errorOf("FROM a\n\nSYSTEM \"\"\"b\nc\n"), "Modelfile: line 3: the quotes are never closed");
	EXPECT_EQ(errorOf("FROM a\nSYSTEM \"\"\"b\nc\"\"\" d\n"), "Modelfile: line 3: 'd' follows the closing quotes");
}

TEST(Modelfile, ComesBackAsItWasWritten) {
	Modelfile modelfile;
	modelfile.from = "./model-Q4_K_M.gguf";
	modelfile.chat_template = "{{ .Prompt }}\n\"x\" {{ .Response }} ";
	modelfile.system = "  spaces around  ";
	modelfile.parameters = {{"stop", "</s>"}, {"temperature", "0.6"}, {"stop", "\n\n"}};
	modelfile.messages = {{"user", ""}};
	const auto text = modelfileText(modelfile);
	ASSERT_TRUE(text.ok()) << text.error().message;
	const auto again = parseModelfile(*text, "Modelfile");
	ASSERT_TRUE(again.ok()) << again.error().message << *text;
	EXPECT_TRUE(*again == modelfile) << *text;

	modelfile.system = "three \"\"\" quotes";
	EXPECT_EQ(modelfileText(modelfile).error().code, ErrorCode::kUnsupported);
}

TEST(Modelfile, KnowsChatFormatsByTheirMarkers) {
	Metadata metadata;
	metadata.set("general.sampling.temp", 0.6f);
	metadata.set("general.sampling.top_k", int32_t(20));
	metadata.set("tokenizer.chat_template",
	             std::string("{% if not system %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}{{ '<|im_end|>' }}"));
	const Modelfile chatml = modelfileFor(metadata, "m.gguf");
	EXPECT_EQ(chatml.from, "./m.gguf");
	ASSERT_TRUE(chatml.chat_template);
	EXPECT_NE(chatml.chat_template->find("<|im_start|>assistant\n{{ .Response }}"), std::string::npos);
	EXPECT_EQ(chatml.system, "You are a helpful assistant.");
	EXPECT_EQ(chatml.parameter("temperature"), "0.6");
	EXPECT_EQ(chatml.parameter("top_k"), "20");
	EXPECT_EQ(chatml.parameter("stop"), "<|im_end|>");

	const auto template_for = [&](const char* jinja) {
		metadata.set("tokenizer.chat_template", std::string(jinja));
		return modelfileFor(metadata, "m.gguf").chat_template.value_or("(none)");
	};
	EXPECT_NE(template_for("<|start_header_id|>' + role + '<|end_header_id|>\n\n<|eot_id|>").find("<|start_header_id|>user"), std::string::npos);
	EXPECT_NE(template_for("<start_of_turn>model <end_of_turn>").find("<start_of_turn>model\n"), std::string::npos);
	EXPECT_NE(template_for("<|user|> <|end|>").find("<|assistant|>\n"), std::string::npos);
	EXPECT_NE(template_for("[INST] <<SYS>> [/INST]").find("<<SYS>>"), std::string::npos);
	EXPECT_EQ(template_for("[INST] [/INST]").find("<<SYS>>"), std::string::npos);
	EXPECT_EQ(template_for("### Instruction:"), "(none)");
	EXPECT_EQ(template_for("<|im_start|>system\\n' + system + '<|im_end|>").find("(none)"), std::string::npos);
	EXPECT_EQ(modelfileFor(metadata, "m.gguf").system, std::nullopt);   // not a plain text

	for (const char* jinja : {"<|im_start|><|im_end|>", "<|start_header_id|><|eot_id|>", "<start_of_turn><end_of_turn>", "[INST][/INST]"}) {
		metadata.set("tokenizer.chat_template", std::string(jinja));
		const Modelfile modelfile = modelfileFor(metadata, "m.gguf");
		const auto text = modelfileText(modelfile);
		ASSERT_TRUE(text.ok());
		EXPECT_TRUE(parseModelfile(*text, "Modelfile").value() == modelfile) << *text;
	}
}
