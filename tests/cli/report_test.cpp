// vkeval compare and its page: in figures, and as a browser shows it where there is one (Chromium, or VKQ_BROWSER).
#include "tests/cli/run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <regex>

using namespace vkq;
using namespace vkq::test;

namespace {

const std::string kModel = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";
const std::string kText = std::string(VKQ_SOURCE_DIR) + "/tests/data/corpus/valid-small.txt";

std::string contents(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	return {std::istreambuf_iterator<char>(in), {}};
}

/// Made once: two levels and another cache on two chunks.
struct Made {
	TempFolder folder;
	ToolResult result;
	nlohmann::json json;
	std::string page;

	Made() {
		const std::filesystem::path temporary = folder / "tmp";
		std::filesystem::create_directory(temporary);
		result = runTool("vkeval", {"compare", kModel, "Q8_0", "Q2_K", "-f", kText, "-c", "256", "--chunks", "2", "--prompt", "The <state> of", "-n", "8", "--report",
		                            (folder / "report.html").string(), "--json"}, {.environment = {{"TMPDIR", temporary.string()}}});
		if (result.code == 0) json = nlohmann::json::parse(result.out);
		page = contents(folder / "report.html");
	}
};

const Made& made() {
	static const Made once;
	return once;
}

std::string browser() {
	if (const char* named = std::getenv("VKQ_BROWSER")) return named;
	return std::filesystem::exists("/usr/bin/chromium") ? "/usr/bin/chromium" : "";
}

}  // namespace

TEST(Compare, MeasuresEachLevelAndRecommendsOne) {
	ASSERT_EQ(made().result.code, 0) << made().result.err;
	const auto& levels = made().json["levels"];
	ASSERT_EQ(levels.size(), 2u);
	EXPECT_EQ(levels[0]["name"], "Q8_0");
	EXPECT_EQ(levels[1]["file_type"], "Q2_K");
	EXPECT_LT(levels[0]["quality"]["mean_kld"], levels[1]["quality"]["mean_kld"]);
	EXPECT_GT(levels[0]["file_bytes"], levels[1]["file_bytes"]);
	EXPECT_LT(levels[0]["file_bytes"], made().json["original"]["file_bytes"]);
	for (const auto& level : levels) {
		EXPECT_TRUE(level["fits"]);
		EXPECT_TRUE(level["on_frontier"]);
		EXPECT_GT(level["generation_tokens_per_second"], 0);
		EXPECT_GT(level["planned_bytes"], 0);
	}
	EXPECT_EQ(made().json["recommended"], "Q8_0");   // Q2_K costs more than two per cent
	EXPECT_TRUE(std::filesystem::is_empty(made().folder / "tmp"));   // the levels that were made are gone
}

TEST(Compare, ThePageHoldsAllFiguresAndFetchesNothing) {
	const std::string& page = made().page;
	const std::string open = "<script type=\"application/json\" id=\"figures\">";
	const size_t first = page.find(open), last = page.find("</script>", first);
	ASSERT_NE(first, std::string::npos);
	EXPECT_EQ(nlohmann::json::parse(page.substr(first + open.size(), last - first - open.size())), made().json);
	EXPECT_EQ(page.find("<script", first + 1), std::string::npos);
	EXPECT_EQ(page.find("<script"), first);
	EXPECT_FALSE(std::regex_search(page, std::regex("(src|href)=|url\\(|@import|https?:")));
	EXPECT_NE(page.find("The &lt;state&gt; of"), std::string::npos);   // a prompt is text, never markup
}

TEST(Compare, DoesNotOverwriteAReportUnasked) {
	const ToolResult again = runTool("vkeval", {"compare", kModel, "Q8_0", "-f", kText, "--report", (made().folder / "report.html").string()});
	EXPECT_EQ(again.code, 1);
	EXPECT_NE(again.firstError().find("exists"), std::string::npos);
}

TEST(Compare, RefusesWhatIsNeitherTypeNorFile) {
	const ToolResult result = runTool("vkeval", {"compare", kModel, "Q9_Z", "-f", kText, "-c", "256"});
	EXPECT_EQ(result.code, 2);
	EXPECT_NE(result.firstError().find("Q9_Z"), std::string::npos) << result.err;
	EXPECT_EQ(runTool("vkeval", {"compare", kModel, "-f", kText}).code, 2);
}

TEST(Compare, ABrowserShowsThePageOnAPhoneAndInTheDark) {
	if (browser().empty()) GTEST_SKIP() << "no browser";
	const std::string page = (made().folder / "report.html").string(), profile = (made().folder / "profile").string();
	const auto open = [&](const std::string& action) {
		const std::string command = "timeout 90 '" + browser() + "' --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir='" + profile + "' " + action + " 'file://" + page + "' 2>'" +
		                            (made().folder / "browser.log").string() + "' >'" + (made().folder / "dom.html").string() + "'";
		return std::system(command.c_str());
	};
	ASSERT_EQ(open("--dump-dom"), 0);
	const std::string dom = contents(made().folder / "dom.html");
	for (const char* part : {"<h2>Recommendation</h2>", "<h2>Quality against size</h2>", "<h2>Speed against size</h2>", "<h2>How often, how far</h2>", "<h2>Error by layer</h2>", "class=\"frontier\""})
		EXPECT_NE(dom.find(part), std::string::npos) << part;
	for (const char* size : {"390,1600", "1280,1600"}) {
		for (const char* dark : {"", "--blink-settings=preferredColorScheme=0 --force-dark-mode "}) {
			const std::string picture = (made().folder / "page.png").string();
			ASSERT_EQ(open(std::string(dark) + "--screenshot='" + picture + "' --window-size=" + size), 0);
			EXPECT_GT(std::filesystem::file_size(picture), 20000u) << size << dark;   // an empty page is a few kilobytes
		}
	}
	EXPECT_EQ(contents(made().folder / "browser.log").find("Refused to"), std::string::npos);   // the page's own policy stands in nothing's way
}
