// Runs one of our programs as a user does: arguments in; exit code, standard output and standard error out.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vkq::test {

struct ToolResult {
	int code = -1;        // exit code; 128 + signal when a signal ended it
	std::string out, err;

	/// The first line of standard error: what went wrong.
	std::string firstError() const { return err.substr(0, err.find('\n')); }
};

struct ToolOptions {
	std::filesystem::path folder;                    // working directory; the test's own if empty
	std::map<std::string, std::string> environment;  // added to the test's
	std::string stdout_to;                           // a file instead of the pipe, such as /dev/full
	std::string input;                               // a file for standard input; /dev/null if empty
};

/// A tool that runs. It is killed if it has not ended when this object goes.
class RunningTool {
public:
	RunningTool(const std::string& tool, const std::vector<std::string>& arguments, const ToolOptions& options = {})
	    : out_(std::tmpfile()), err_(std::tmpfile()) {
		const std::string program = std::string(VKQ_BUILD_DIR) + "/bin/" + tool;
		std::vector<char*> argv{const_cast<char*>(program.c_str())};
		for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
		argv.push_back(nullptr);
		child_ = ::fork();
		if (child_ != 0) return;
		if (!options.folder.empty() && ::chdir(options.folder.c_str()) != 0) ::_exit(125);
		::signal(SIGINT, SIG_DFL);   // a shell's background jobs ignore it, and so would the tool
		for (const auto& [name, value] : options.environment) ::setenv(name.c_str(), value.c_str(), 1);
		const int in = ::open(options.input.empty() ? "/dev/null" : options.input.c_str(), O_RDONLY);
		const int out = options.stdout_to.empty() ? ::fileno(out_) : ::open(options.stdout_to.c_str(), O_WRONLY);
		::dup2(in, 0);
		::dup2(out, 1);
		::dup2(::fileno(err_), 2);
		::execv(program.c_str(), argv.data());
		::_exit(126);
	}
	RunningTool(const RunningTool&) = delete;
	RunningTool& operator=(const RunningTool&) = delete;
	~RunningTool() {
		if (child_ > 0) {
			::kill(child_, SIGKILL);
			::waitpid(child_, nullptr, 0);
		}
		std::fclose(out_);
		std::fclose(err_);
	}

	void send(int signal) const { ::kill(child_, signal); }

	/// Kills it (and reports that as 128 + SIGKILL) if it takes longer.
	ToolResult wait(std::chrono::seconds limit = std::chrono::seconds(300)) {
		const auto deadline = std::chrono::steady_clock::now() + limit;
		int status = 0;
		while (::waitpid(child_, &status, WNOHANG) == 0) {
			if (std::chrono::steady_clock::now() > deadline) {
				ADD_FAILURE() << "the tool did not end within " << limit.count() << " s";
				::kill(child_, SIGKILL);
				::waitpid(child_, &status, 0);
				break;
			}
			std::this_thread::sleep_for(std::chrono::milliseconds(2));
		}
		child_ = -1;
		ToolResult result;
		result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		result.out = contents(out_);
		result.err = contents(err_);
		return result;
	}

	/// What it has printed to standard error so far: to wait for progress before sending a signal.
	std::string errorsSoFar() const { return contents(err_); }

private:
	static std::string contents(std::FILE* file) {
		std::string text;
		char buffer[4096];
		ssize_t got;
		while ((got = ::pread(::fileno(file), buffer, sizeof buffer, off_t(text.size()))) > 0) text.append(buffer, size_t(got));
		return text;
	}

	std::FILE* out_;
	std::FILE* err_;
	pid_t child_ = -1;
};

inline ToolResult runTool(const std::string& tool, const std::vector<std::string>& arguments, const ToolOptions& options = {}) {
	return RunningTool(tool, arguments, options).wait();
}

}  // namespace vkq::test
