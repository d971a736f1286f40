// A folder for one test, gone with it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace vkq::test {

class TempFolder {
public:
	TempFolder() {
		std::string pattern = (std::filesystem::temp_directory_path() / "vkq-test-XXXXXX").string();
		if (!mkdtemp(pattern.data())) std::abort();
		path_ = pattern;
	}
	TempFolder(const TempFolder&) = delete;
	TempFolder& operator=(const TempFolder&) = delete;
	~TempFolder() {
		std::error_code ignored;
		std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
		std::filesystem::remove_all(path_, ignored);
	}

	std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
	const std::filesystem::path& path() const { return path_; }
	/// Names of what lies in it, sorted.
	std::vector<std::string> listing() const {
		std::vector<std::string> names;
		for (const auto& entry : std::filesystem::directory_iterator(path_)) names.push_back(entry.path().filename().string());
		std::sort(names.begin(), names.end());
		return names;
	}

private:
	std::filesystem::path path_;
};

inline std::vector<std::byte> readFile(const std::filesystem::path& path) {
	std::ifstream in(path, std::ios::binary);
	std::string text((std::istreambuf_iterator<char>(in)), {});
	const auto* first = reinterpret_cast<const std::byte*>(text.data());
	return {first, first + text.size()};
}

inline void writeFile(const std::filesystem::path& path, std::span<const std::byte> bytes) {
	std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
}

}  // namespace vkq::test
