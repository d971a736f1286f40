#include "tools/vkplan_machine.h"

#include "planner/gpus.h"
#include "tools/vkplan_device_json.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace vkq::tools {

namespace {

constexpr const char* kProbe = "vkplan-probe";

/// Beside this program, where both are built and installed.
std::filesystem::path probePath() {
	std::error_code error;
	const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
	return error ? std::filesystem::path(kProbe) : self.parent_path() / kProbe;
}

struct Output {
	int code;
	std::string text;
};

/// Runs a program to its end; its standard output. Standard error stays ours: the probe's own message is the right one.
Result<Output> outputOf(const std::filesystem::path& program, const std::vector<std::string>& arguments) {
	int ends[2];
	if (::pipe(ends) != 0) return fail(ErrorCode::kIo, fmt::format("no pipe to {}: {}", program.string(), std::strerror(errno)));
	posix_spawn_file_actions_t actions;
	::posix_spawn_file_actions_init(&actions);
	::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	::posix_spawn_file_actions_addclose(&actions, ends[0]);
	std::vector<char*> argv{const_cast<char*>(program.c_str())};
	for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
	argv.push_back(nullptr);
	pid_t child = 0;
	const int failed = ::posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
	::posix_spawn_file_actions_destroy(&actions);
	::close(ends[1]);
	if (failed) {
		::close(ends[0]);
		return fail(ErrorCode::kNotFound, fmt::format("{} cannot be run: {}", program.string(), std::strerror(failed)), "name the memory instead: --vram 8");
	}
	Output output{};
	std::array<char, 4096> buffer;
	ssize_t got;
	while ((got = ::read(ends[0], buffer.data(), buffer.size())) > 0 || (got < 0 && errno == EINTR)) {
		if (got > 0) output.text.append(buffer.data(), size_t(got));
	}
	::close(ends[0]);
	int status = 0;
	while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
	output.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return output;
}

}  // namespace

Result<std::vector<DeviceSpec>> machineDevices(const std::vector<std::string>& wanted) {
	const auto answer = outputOf(probePath(), wanted);
	if (!answer) return answer.error();
	if (answer->code > 128) return fail(ErrorCode::kNoDevice, fmt::format("a Vulkan driver crashed while it was asked (signal {})", answer->code - 128), "name the memory instead: --vram 8");
	if (answer->code != 0) return fail(ErrorCode::kNoDevice, "this machine's devices cannot be used", "name the memory instead: --vram 8, or the card: --gpu 'RTX 4060'");
	auto devices = devicesFromJson(answer->text);
	if (!devices) return devices;
	for (DeviceSpec& device : *devices) {
		const auto known = findGpu(device.name);
		if (known && device.bandwidth == 0) device.bandwidth = known->bandwidth_gb * 1e9;
	}
	return devices;
}

std::optional<uint64_t> availableHostMemory() {
	std::ifstream meminfo("/proc/meminfo");
	std::string key, unit;
	uint64_t kib = 0;
	while (meminfo >> key >> kib) {
		std::getline(meminfo, unit);
		if (key == "MemAvailable:") return kib * kKiB;
	}
	return std::nullopt;
}

}  // namespace vkq::tools
