// vkeval compare and its page: in figures, and as a browser shows it where there is one (Chromium, or VKQ_BROWSER).
#include "tests/cli/run_tool.h"
#include "tests/temp_folder.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <set>

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
		result = runTool("vkeval", {"compare", kModel, "Q8_0", "Q2_K", "-f", kText, "-c", "64", "--chunks", "4", "--prompt", "The <state> of", "-n", "8", "--report",
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

/// How a page is looked at: a frame's width, and the scheme that its reader prefers.
struct View {
	int width, height;
	const char* scheme;
	std::string name() const { return std::to_string(width) + "-" + scheme; }
};

/// A wrapper around the page: the page runs no scripts, so frames hold it and the wrapper looks in. A frame's scheme is the page's preferred one, so that
/// one start of the browser shows all views.
std::string wrapperOf(const std::string& page, const std::vector<View>& views) {
	std::string quoted, frames;
	for (const char c : page) {
		if (c == '&') quoted += "&amp;";
		else if (c == '"') quoted += "&quot;";
		else quoted += c;
	}
	for (const View& view : views)
		frames += "<iframe style='border:0;display:block;color-scheme:" + std::string(view.scheme) + "' width=" + std::to_string(view.width) + " height=" + std::to_string(view.height) +
		          " srcdoc=\"" + quoted + "\"></iframe>";
	return "<!DOCTYPE html><body style='margin:0'>" + frames + R"js(<pre id=facts></pre><script>
const factsOf = frame => {
	const inner = frame.contentDocument, view = frame.contentWindow, root = inner.documentElement;
	const scrolls = e => { for (; e; e = e.parentElement) if (getComputedStyle(e).overflowX == 'auto') return true; return false; };
	const beyond = [...inner.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > view.innerWidth + 1 && !scrolls(e)).map(e => e.tagName + ' ' + e.textContent.slice(0, 40));
	const small = [...inner.querySelectorAll('svg text')].map(e => e.getBoundingClientRect().height).filter(h => h > 0);
	const labels = [...inner.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('text.label')].map(e => e.getBoundingClientRect()));
	let covered = 0;
	for (const boxes of labels) for (let i = 0; i < boxes.length; ++i) for (let j = 0; j < i; ++j) {
		const a = boxes[i], b = boxes[j];
		if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) ++covered;
	}
	return {width: view.innerWidth, scroll: root.scrollWidth, height: root.scrollHeight, beyond, covered,
		smallest: Math.min(...small), requests: view.performance.getEntriesByType('resource').length, paper: getComputedStyle(inner.body).backgroundColor,
		ink: getComputedStyle(inner.body).color, text: inner.body.innerText.length, plots: inner.querySelectorAll('svg').length,
		figures: JSON.parse(inner.getElementById('figures').textContent).levels.length};
};
onload = () => document.getElementById('facts').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(factsOf));
</script>)js";
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
	if (browser().empty()) GTEST_SKIP() << "no browser: install chromium, or name one in VKQ_BROWSER";
	const char* kept = std::getenv("VKQ_SCREENSHOTS");   // a folder for the pictures, to look at
	const std::filesystem::path folder = made().folder.path();
	std::string page = made().page;
	if (const char* other = std::getenv("VKQ_REPORT")) page = contents(other);
	ASSERT_FALSE(page.empty());
	const std::filesystem::path wrapper = folder / "wrapper.html";
	const auto show = [&](const std::string& action, const std::vector<View>& views) {
		std::ofstream(wrapper, std::ios::binary) << wrapperOf(page, views);
		const std::string command = "timeout 120 '" + browser() + "' --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-background-networking --disable-component-update "
		                            "--user-data-dir='" + (folder / "profile").string() + "' " + action + " 'file://" + wrapper.string() + "' 2>'" + (folder / "browser.log").string() + "' >'" +
		                            (folder / "dom.html").string() + "'";
		return std::system(command.c_str());
	};
	const std::vector<View> views{{390, 3000, "light"}, {390, 3000, "dark"}, {1280, 3000, "light"}, {1280, 3000, "dark"}};
	ASSERT_EQ(show("--window-size=1400,1000 --dump-dom", views), 0) << contents(folder / "browser.log");
	EXPECT_EQ(contents(folder / "browser.log").find("Refused to"), std::string::npos);   // the page's own policy stands in nothing's way
	const std::string dom = contents(folder / "dom.html"), open = "<pre id=\"facts\">";
	const size_t first = dom.find(open);
	ASSERT_NE(first, std::string::npos);
	const std::string text = std::regex_replace(dom.substr(first + open.size(), dom.find("</pre>", first) - first - open.size()), std::regex("&amp;"), "&");
	const auto all = nlohmann::json::parse(text, nullptr, false);
	ASSERT_FALSE(all.is_discarded()) << text;
	ASSERT_EQ(all.size(), views.size());
	std::set<std::string> papers;
	for (size_t i = 0; i < views.size(); ++i) {
		SCOPED_TRACE(views[i].name());
		const auto& facts = all[i];
		EXPECT_EQ(facts["width"], views[i].width);
		EXPECT_LE(facts["scroll"], views[i].width);     // nothing to scroll sideways but the table, in a frame of its own
		EXPECT_EQ(facts["beyond"].size(), 0u) << facts["beyond"];
		EXPECT_EQ(facts["covered"], 0) << "labels of a plot cover one another";
		EXPECT_GE(facts["smallest"], 8.5);              // letters in plots can be read on a phone
		EXPECT_EQ(facts["requests"], 0);
		EXPECT_GE(facts["plots"], 5);
		EXPECT_GT(facts["figures"], 1);
		EXPECT_GT(facts["text"], 500);
		EXPECT_NE(facts["paper"], facts["ink"]);
		papers.insert(facts["paper"]);
		if (!kept) continue;
		// The wrapper, not the page: a window cannot be as narrow as a phone.
		const View whole{views[i].width, facts["height"], views[i].scheme};
		const std::filesystem::path picture = std::filesystem::path(kept) / (whole.name() + ".png");
		EXPECT_EQ(show("--screenshot='" + picture.string() + "' --window-size=" + std::to_string(std::max(whole.width, 500)) + "," + std::to_string(whole.height), {whole}), 0);
	}
	EXPECT_EQ(papers.size(), 2u) << "light and dark look alike";
}
