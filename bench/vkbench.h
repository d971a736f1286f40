// What the parts of vkbench share. Each part declares its subcommand on the application and returns what runs it.
#pragma once

#include "core/result.h"

#include <CLI/CLI.hpp>

#include <functional>

namespace vkq::bench {

/// Runs the part; called when its subcommand was given.
struct Part {
	CLI::App* command = nullptr;
	std::function<Result<void>()> run;
};

Part kernelsPart(CLI::App& app);
Part attentionPart(CLI::App& app);
Part modelsPart(CLI::App& app);

}  // namespace vkq::bench
