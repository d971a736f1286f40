// Executes every console block of docs/vkplan.md. Words must be equal, numbers within 2 %: scratch sizes move when kernels do. When
// an answer really changes, replace the block by what the command prints.
#include "run_tool.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace vkq::test;

namespace {

struct Example {
	std::string command;
	std::string output;
};

std::vector<Example> examples() {
	std::ifstream document(VKQ_SOURCE_DIR "/docs/vkplan.md");
	std::vector<Example> found;
	bool inside = false;
	for (std::string line; std::getline(document, line);) {
		if (line == "```console") inside = true;
		else if (line == "```") inside = false;
		else if (inside && line.starts_with("$ ")) found.push_back({line.substr(2), {}});
		else if (inside) found.back().output += line + "\n";
	}
	return found;
}

/// Words of a command line; double quotes keep one together.
std::vector<std::string> words(const std::string& command) {
	std::vector<std::string> result;
	std::string word;
	bool quoted = false;
	for (const char c : command + " ") {
		if (c == '"') quoted = !quoted;
		else if (c == ' ' && !quoted) {
			if (!word.empty()) result.push_back(word);
			word.clear();
		} else word += c;
	}
	return result;
}

/// The number that a word shows ("22,560", "+0.9", "5.45", "19.05,"), or nothing.
std::optional<double> numberIn(std::string word) {
	std::erase(word, ',');
	while (!word.empty() && std::string(":;)%").find(word.back()) != std::string::npos) word.pop_back();
	if (!word.empty() && word.front() == '(') word.erase(0, 1);
	if (word.empty()) return std::nullopt;
	char* end = nullptr;
	const double value = std::strtod(word.c_str(), &end);
	return *end == '\0' ? std::optional(value) : std::nullopt;
}

void expectAlike(const std::string& documented, const std::string& printed) {
	std::istringstream a(documented), b(printed);
	std::string left, right;
	while (std::getline(a, left)) {
		ASSERT_TRUE(std::getline(b, right)) << "the program prints less; next would be: " << left;
		if (left.find(" [") != std::string::npos && right.find(" [") != std::string::npos) continue;   // a bar
		const auto l = words(left), r = words(right);
		ASSERT_EQ(l.size(), r.size()) << left << "\n" << right;
		for (size_t i = 0; i < l.size(); ++i) {
			const auto x = numberIn(l[i]), y = numberIn(r[i]);
			if (x && y) EXPECT_NEAR(*x, *y, std::max(0.02 * std::abs(*x), 0.011)) << left << "\n" << right;
			else EXPECT_EQ(l[i], r[i]) << left << "\n" << right;
		}
	}
	EXPECT_FALSE(std::getline(b, right)) << "the program prints more: " << right;
}

TEST(VkplanDocs, ShowWhatTheProgramPrints) {
	const auto all = examples();
	ASSERT_GE(all.size(), 12u);
	for (const Example& example : all) {
		SCOPED_TRACE(example.command);
		auto arguments = words(example.command);
		ASSERT_EQ(arguments.front(), "vkplan");
		arguments.erase(arguments.begin());
		const ToolResult result = runTool("vkplan", arguments);
		EXPECT_TRUE(result.err.empty()) << result.err;
		EXPECT_EQ(result.code, example.output.find("recommended: none") != std::string::npos ? 3 : 0);
		expectAlike(example.output, result.out);
	}
}

}  // namespace
