// What all tools do alike: arguments, errors, exit codes, Ctrl-C, JSON and tables.
#pragma once

#include "core/result.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkq::tools {

/// 0 done, 1 failed, 2 usage, 3 the plan does not fit, 130 interrupted (128 + SIGINT, as shells expect).
inline constexpr int kDone = 0, kFailed = 1, kUsageError = 2, kPlanDoesNotFit = 3, kInterrupted = 130;
int exitCode(ErrorCode code);

/// Prints "TOOL: message" and, indented, the hint to stderr. Returns the error's exit code.
int report(std::string_view tool, const Error& error);

/// A tool's main(): catches what libraries throw (out of memory, ...) and reports it; flushes stdout and fails if that fails
/// (a full disk behind a redirection).
int run(std::string_view tool, const std::function<int()>& body);

/// Parses the command line. A value is the exit code to return at once: 0 after --help or --version, 2 after a usage error.
std::optional<int> parseArguments(CLI::App& app, int argc, char** argv);

/// Adds --version and the line about exit codes, and puts `examples` (whole command lines) below the help.
void describe(CLI::App& app, std::string_view description, const std::vector<std::string>& examples);
/// Whole command lines below the help of `command`.
void addExamples(CLI::App& command, const std::vector<std::string>& examples);

/// From here on Ctrl-C, SIGTERM and SIGHUP set a flag instead of ending the process; a second one ends it.
void catchInterrupts();
const std::atomic<bool>& interruptFlag();
inline bool interrupted() { return interruptFlag().load(std::memory_order_relaxed); }

bool isTerminal(std::FILE* stream);

/// The whole file; kNotFound, or kInvalidData if it is empty.
Result<std::string> readText(const std::string& path);

using Json = nlohmann::ordered_json;
/// Indented text. Bytes that are no UTF-8 are replaced, where the library's default would throw.
std::string jsonText(const Json& json);
void printJson(const Json& json);   // to stdout, with a newline

}  // namespace vkq::tools
