// The chat on a terminal, typed into a pseudo-terminal as a user types.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::string_view kPrompt = ">>> ", kMore = "... ", kCtrlC = "\x03", kCtrlD = "\x04", kUp = "\x1b[A";

/// vkrun on a terminal of its own. It is killed if it has not ended when this object goes.
class Terminal {
public:
	explicit Terminal(const std::vector<std::string>& more) {
		const std::string program = std::string(VKQ_BUILD_DIR) + "/bin/vkrun", model = std::string(VKQ_SOURCE_DIR) + "/models/orator-6m-f16.gguf";
		std::vector<std::string> arguments{program, model, "--temp", "0"};
		arguments.insert(arguments.end(), more.begin(), more.end());
		std::vector<char*> argv;
		for (std::string& argument : arguments) argv.push_back(argument.data());
		argv.push_back(nullptr);
		winsize size{};
		size.ws_row = 25;
		size.ws_col = 200;   // no line is wrapped
		child_ = ::forkpty(&master_, nullptr, nullptr, &size);
		if (child_ != 0) return;
		::setenv("TERM", "xterm", 1);
		::setenv("LC_ALL", "C.UTF-8", 1);
		::execv(program.c_str(), argv.data());
		::_exit(126);
	}
	Terminal(const Terminal&) = delete;
	Terminal& operator=(const Terminal&) = delete;
	~Terminal() {
		if (child_ > 0) {
			::kill(child_, SIGKILL);
			::waitpid(child_, nullptr, 0);
		}
		::close(master_);
	}

	void type(std::string_view keys) { ASSERT_EQ(::write(master_, keys.data(), keys.size()), ssize_t(keys.size())); }

	/// What the terminal shows from here on, up to and with `text`. Empty, and the test fails, where `text` does not come.
	std::string readUntil(std::string_view text) {
		for (;;) {
			if (const size_t at = shown_.find(text); at != std::string::npos) {
				const std::string part = shown_.substr(0, at + text.size());
				shown_.erase(0, part.size());
				return part;
			}
			if (!readMore()) {
				ADD_FAILURE() << "'" << text << "' did not come; shown since: " << shown_;
				return {};
			}
		}
	}

	/// What is shown to the end, and the exit code.
	std::pair<std::string, int> finish() {
		while (readMore()) {}
		int status = -1;
		for (int tries = 0; ::waitpid(child_, &status, WNOHANG) == 0; ++tries) {
			if (tries == 100) {
				ADD_FAILURE() << "it did not end; shown since: " << shown_;
				::kill(child_, SIGKILL);
			}
			::usleep(50'000);
		}
		child_ = -1;
		return {shown_, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
	}

private:
	bool readMore() {
		pollfd ready{master_, POLLIN, 0};
		if (::poll(&ready, 1, kPatience) <= 0) return false;
		char buffer[4096];
		const ssize_t got = ::read(master_, buffer, sizeof buffer);   // an error, too, is the end: the other side is closed
		if (got > 0) shown_.append(buffer, size_t(got));
		return got > 0;
	}

	static constexpr int kPatience = 60'000;   // milliseconds; only a failure waits so long
	pid_t child_ = -1;
	int master_ = -1;
	std::string shown_;
};

}  // namespace

TEST(VkrunChat, EndsAtCtrlD) {
	Terminal terminal({});
	EXPECT_NE(terminal.readUntil(kPrompt).find("Ctrl-D"), std::string::npos) << "how to end is said first";
	terminal.type(kCtrlD);
	EXPECT_EQ(terminal.finish().second, 0);
}

TEST(VkrunChat, CtrlCStopsTheAnswerAndNotTheProgram) {
	Terminal terminal({"--ctx", "2048", "--ignore-eos"});
	terminal.readUntil(kPrompt);
	terminal.type("Tell me of the sea.\n");
	terminal.readUntil("sea.");
	terminal.readUntil(" ");   // the answer has begun
	terminal.type(kCtrlC);
	terminal.readUntil(kPrompt);
	terminal.type("/bye\n");
	const auto [shown, code] = terminal.finish();
	EXPECT_EQ(code, 0);
	EXPECT_EQ(shown.find("is full"), std::string::npos) << "it went on to the end of the context: " << shown;
	EXPECT_NE(shown.find("tokens/s"), std::string::npos) << "speeds at the end";   // of the prompt only, where the first word was the last
}

TEST(VkrunChat, CtrlCAtThePromptLeavesTheLine) {
	Terminal terminal({"-n", "1"});
	terminal.readUntil(kPrompt);
	for (int time = 0; time < 3; ++time) {
		terminal.type(kCtrlC);
		EXPECT_EQ(terminal.readUntil(kPrompt).find("answer"), std::string::npos);
	}
	terminal.type("half a question");
	terminal.readUntil("question");
	terminal.type(kCtrlC);
	terminal.readUntil(kPrompt);
	terminal.type("\"\"\"the first of several lines\n");
	terminal.readUntil(kMore);
	terminal.type(kCtrlC);
	terminal.readUntil(kPrompt);
	terminal.type("/bye\n");
	const auto [shown, code] = terminal.finish();
	EXPECT_EQ(code, 0);
	EXPECT_EQ(shown.find("generation"), std::string::npos) << "nothing was asked: " << shown;
	EXPECT_EQ(shown.find("prompt"), std::string::npos) << shown;
}

TEST(VkrunChat, SeveralLinesAreOneQuestion) {
	Terminal terminal({"-n", "2", "--ignore-eos"});
	terminal.readUntil(kPrompt);
	terminal.type("\"\"\"one\n");
	terminal.readUntil(kMore);
	terminal.type("two\"\"\"\n");
	terminal.readUntil("two");
	terminal.readUntil(kPrompt);
	terminal.type(kCtrlD);
	const auto [shown, code] = terminal.finish();
	EXPECT_EQ(code, 0);
	EXPECT_NE(shown.find("generation 1 tokens"), std::string::npos) << "one answer, whose first token the prompt gave: " << shown;
}

TEST(VkrunChat, TheUpKeyBringsBackTheLastLine) {
	Terminal terminal({"-n", "1"});
	terminal.readUntil(kPrompt);
	terminal.type("an earlier question\n");
	terminal.readUntil("question");
	terminal.readUntil(kPrompt);
	terminal.type(kUp);
	terminal.readUntil("an earlier question");
	terminal.type("\n");
	terminal.readUntil(kPrompt);
	terminal.type("/bye\n");
	EXPECT_EQ(terminal.finish().second, 0);
}
