#include "tools/common.h"

#include "core/text.h"
#include "ggufio/lost_pages.h"
#include "tools/version.h"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <system_error>

#include <unistd.h>

namespace vkq::tools {

namespace {

std::atomic<bool> interrupt_flag = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

extern "C" void onInterrupt(int) { interrupt_flag.store(true); }

}  // namespace

int exitCode(ErrorCode code) {
	switch (code) {
	case ErrorCode::kUsage: return kUsageError;
	case ErrorCode::kDoesNotFit: return kPlanDoesNotFit;
	case ErrorCode::kInterrupted: return kInterrupted;
	default: return kFailed;
	}
}

int report(std::string_view tool, const Error& error) {
	std::fflush(stdout);
	std::string text = fmt::format("{}: {}\n", tool, error.message);
	if (!error.hint.empty()) text += fmt::format("  {}\n", error.hint);
	std::fputs(text.c_str(), stderr);   // unlike fmt::print, does not throw when stderr is closed
	return exitCode(error.code);
}

int run(std::string_view tool, const std::function<int()>& body) {
	guardLostPages();
	const auto outputFailed = [&](const char* why) { return report(tool, fail(ErrorCode::kIo, fmt::format("standard output cannot be written: {}", why))); };
	try {
		const int code = body();
		if (std::fflush(stdout) != 0) return outputFailed(std::strerror(errno));
		return code;
	} catch (const std::bad_alloc&) {
		return report(tool, fail(ErrorCode::kOutOfMemory, "out of memory"));
	} catch (const std::system_error& error) {   // fmt::print
		if (std::ferror(stdout)) return outputFailed(std::strerror(error.code().value()));
		return report(tool, fail(ErrorCode::kIo, error.what()));
	} catch (const std::exception& error) {
		return report(tool, fail(ErrorCode::kIo, error.what()));
	}
}

std::optional<int> parseArguments(CLI::App& app, int argc, char** argv) {
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError& error) {
		if (error.get_exit_code() == int(CLI::ExitCodes::Success)) return app.exit(error);   // --help, --version
		std::string message = error.what();
		// A mistyped option is the likelier mistake than what is missing because of it.
		for (const std::string& unknown : app.remaining(true))
			if (unknown.starts_with('-')) message = fmt::format("there is no option {}", unknown);
		return report(app.get_name(), fail(ErrorCode::kUsage, message, fmt::format("see {} --help", app.get_name())));
	}
	return std::nullopt;
}

void addExamples(CLI::App& command, const std::vector<std::string>& examples) {
	std::string footer = "\nExamples:\n";
	for (const std::string& example : examples) footer += "  " + example + "\n";
	command.footer(footer);
}

void describe(CLI::App& app, std::string_view description, const std::vector<std::string>& examples) {
	app.description(std::string(description));
	app.set_version_flag("--version", fmt::format("{} {}", app.get_name(), kVersion));
	addExamples(app, examples);
	app.footer(app.get_footer() + "\nExit codes: 0 done, 1 failed, 2 usage, 3 the plan does not fit, 130 interrupted.");
}

void catchInterrupts() {
	struct sigaction action = {};
	action.sa_handler = onInterrupt;
	action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
	sigemptyset(&action.sa_mask);
	for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
		struct sigaction old = {};
		// A process started with nohup ignores SIGHUP, and should go on ignoring it.
		if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
		::sigaction(signal, &action, nullptr);
	}
}

const std::atomic<bool>& interruptFlag() { return interrupt_flag; }

bool isTerminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

Result<std::string> readText(const std::string& path) {
	std::ifstream in(path, std::ios::binary);
	std::error_code ignored;
	if (!in || std::filesystem::is_directory(path, ignored)) return fail(ErrorCode::kNotFound, fmt::format("{}: cannot be read", quote(path)));
	std::string text((std::istreambuf_iterator<char>(in)), {});
	if (text.empty()) return fail(ErrorCode::kInvalidData, fmt::format("{}: is empty", quote(path)));
	return text;
}

std::string jsonText(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace); }

void printJson(const Json& json) { fmt::print("{}\n", jsonText(json)); }

}  // namespace vkq::tools
