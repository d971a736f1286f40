// vkbench: how fast kernels and whole models are on a device.
#include "bench/vkbench.h"

#include <fmt/format.h>

#include <cstdio>

int main(int argc, char** argv) {
	CLI::App app{"Measures vkquant on a device.", "vkbench"};
	app.require_subcommand(1);
	const vkq::bench::Part parts[] = {vkq::bench::kernelsPart(app), vkq::bench::attentionPart(app), vkq::bench::modelsPart(app)};
	try {
		app.parse(argc, argv);
	} catch (const CLI::ParseError& error) {
		const bool asked_for_help = error.get_exit_code() == int(CLI::ExitCodes::Success);
		app.exit(error);
		return asked_for_help ? 0 : 2;
	}
	for (const auto& part : parts) {
		if (!part.command->parsed()) continue;
		if (const auto done = part.run(); !done) {
			fmt::print(stderr, "vkbench: {}\n", done.error().message);
			if (!done.error().hint.empty()) fmt::print(stderr, "  {}\n", done.error().hint);
			return done.error().code == vkq::ErrorCode::kUsage ? 2 : 1;
		}
	}
	return 0;
}
