// The floor plan, kept: who may include whom, and how long a file may be.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = VKQ_SOURCE_DIR;
constexpr int kLongestFile = 800;   // lines

/// What each folder may include besides itself.
const std::map<std::string, std::set<std::string>> kArrows = {
    {"core", {}},
    {"quant", {"core"}},
    {"ggufio", {"core", "quant"}},
    {"arch", {"core", "quant", "ggufio"}},
    {"planner", {"core", "quant", "ggufio", "arch"}},
    {"shaders", {}},
    {"vk", {"core", "shaders"}},
    {"kernels", {"core", "quant", "vk", "shaders"}},
    {"ref", {"core", "quant", "ggufio", "arch"}},
    {"quantize", {"core", "quant", "ggufio", "arch", "vk", "kernels"}},
    {"infer", {"core", "quant", "ggufio", "arch", "planner", "vk", "kernels", "shaders"}},
    {"eval", {"core", "quant", "ggufio", "arch", "planner", "vk", "kernels", "infer"}},
};
/// Folders at the top may include everything, but nothing includes them; benchmarks generate with tests' help.
const std::set<std::string> kTops = {"examples", "tools", "bench", "tests"};

bool isSource(const fs::path& path) {
	static const std::set<std::string> extensions = {".h", ".cpp", ".comp", ".glsl"};
	return extensions.contains(path.extension().string());
}

std::vector<fs::path> sourcesOf(const std::string& folder) {
	std::vector<fs::path> files;
	if (!fs::exists(kRoot / folder)) return files;
	for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
		if (entry.is_regular_file() && isSource(entry.path())) files.push_back(entry.path());
	return files;
}

/// The folders of quoted includes ("vk/device.h" -> vk), with the line for the message.
std::vector<std::pair<std::string, std::string>> includedFolders(const fs::path& file) {
	static const std::regex include(R"(^\s*#\s*include\s+"([^"/]+)/[^"]*".*)");
	std::vector<std::pair<std::string, std::string>> found;
	std::ifstream in(file);
	for (std::string line; std::getline(in, line);) {
		std::smatch match;
		if (std::regex_match(line, match, include)) found.emplace_back(match[1], line);
	}
	return found;
}

}  // namespace

TEST(Architecture, FoldersIncludeOnlyWhatTheFloorPlanAllows) {
	size_t looked_at = 0;
	for (const auto& [folder, allowed] : kArrows)
		for (const fs::path& file : sourcesOf(folder)) {
			for (const auto& [target, line] : includedFolders(file)) {
				++looked_at;
				const bool known = kArrows.contains(target) || kTops.contains(target);
				if (!known || target == folder) continue;   // a subfolder such as shaders/shared, or itself
				EXPECT_TRUE(allowed.contains(target)) << fs::relative(file, kRoot).string() << ": " << line << "\n  " << folder << " may not include " << target;
			}
		}
	EXPECT_GT(looked_at, 50u);   // the pattern still finds includes
}

TEST(Architecture, EveryFolderWithSourcesIsOnTheFloorPlan) {
	for (const auto& entry : fs::directory_iterator(kRoot)) {
		const std::string name = entry.path().filename().string();
		if (!entry.is_directory() || name.starts_with(".") || name.starts_with("build")) continue;
		if (sourcesOf(name).empty()) continue;
		EXPECT_TRUE(kArrows.contains(name) || kTops.contains(name)) << name;
	}
}

TEST(Architecture, NoFileIsLongerThanEightHundredLines) {
	std::vector<std::string> folders(kTops.begin(), kTops.end());
	for (const auto& [folder, allowed] : kArrows) folders.push_back(folder);
	for (const std::string& folder : folders)
		for (const fs::path& file : sourcesOf(folder)) {
			std::ifstream in(file);
			int lines = 0;
			for (std::string line; std::getline(in, line);) ++lines;
			EXPECT_LE(lines, kLongestFile) << fs::relative(file, kRoot).string();
		}
}

TEST(Architecture, NoTypeIsDefinedTwice) {
	// Two types of one name in one namespace compile, each in its files, and corrupt memory where both are linked.
	static const std::regex name_space(R"(^namespace ([\w:]+) \{.*)");
	static const std::regex definition(R"(^(?:struct|class|enum class|enum) (\w+)(?: .*)?)");
	std::map<std::string, std::string> defined_in;
	for (const auto& [folder, allowed] : kArrows)
		for (const fs::path& file : sourcesOf(folder)) {
			if (file.extension() != ".h") continue;
			const std::string here = fs::relative(file, kRoot).string();
			std::string scope;
			std::ifstream in(file);
			for (std::string line; std::getline(in, line);) {
				std::smatch match;
				if (std::regex_match(line, match, name_space)) scope = match[1];
				if (scope.empty() || !std::regex_match(line, match, definition)) continue;
				const auto [other, is_new] = defined_in.emplace(scope + "::" + match[1].str(), here);
				EXPECT_TRUE(is_new) << other->first << " is defined in " << other->second << " and in " << here;
			}
		}
	EXPECT_GT(defined_in.size(), 50u);   // the pattern still finds definitions
}
