// The reference's own tools beside ours. Tests of this kind run when VKQ_PEER is set: the command in front of a llama.cpp tool's name, which sees the current folder
// as its own.
#pragma once

#include "run_tool.h"
#include "tests/temp_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace vkq::test {

/// A folder with the sample model and its importance matrix, where both sides work.
struct Peer : testing::Test {
	TempFolder folder;

	void SetUp() override {
		const std::string root = VKQ_SOURCE_DIR;
		if (!std::getenv("VKQ_PEER")) GTEST_SKIP() << "VKQ_PEER is not set";
		std::filesystem::copy_file(root + "/models/orator-6m-f16.gguf", folder / "model.gguf");
		std::filesystem::copy_file(root + "/tests/golden/orator-6m.imatrix.gguf", folder / "imatrix.gguf");
	}

	/// The exit status of one of the reference's tools; what it prints goes to `log`.
	int peer(const std::string& command, const std::string& log = "peer.log") {
		return std::system(("cd " + folder.path().string() + " && " + std::getenv("VKQ_PEER") + " " + command + " >" + log + " 2>&1").c_str());
	}

	std::string text(const std::string& file) {
		const auto bytes = readFile(folder / file);
		return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
	}
};

}  // namespace vkq::test
