// vkinfo FILE...: what GGUF files hold. vkinfo --devices: what Vulkan devices there are.

#include "ggufio/gguf_reader.h"
#include "tools/common.h"
#include "tools/vkinfo_devices.h"
#include "tools/vkinfo_model.h"

#include <fmt/format.h>

using namespace vkq;
using namespace vkq::tools;

namespace {

struct Arguments {
	std::vector<std::string> files;
	bool devices = false, json = false, metadata = false, tensors = false, types = false;
	ModelInfoOptions options;
};

std::optional<int> parse(Arguments& arguments, int argc, char** argv) {
	CLI::App app("", "vkinfo");
	describe(app, "Shows what GGUF files hold (metadata, tensors, types, sizes), or what Vulkan devices there are.",
	         {"vkinfo model.gguf", "vkinfo --types *.gguf", "vkinfo --metadata --filter 'tokenizer.*' --full model.gguf",
	          "vkinfo --tensors --filter '*.attn_v.weight' model-00001-of-00003.gguf", "vkinfo --json model.gguf | jq .bits_per_weight",
	          "vkinfo --devices"});
	app.add_option("FILE", arguments.files, "GGUF files; any one file of a split stands for all of it");
	app.add_flag("--devices", arguments.devices, "list the Vulkan devices: heaps, free memory, features, driver");
	app.add_flag("--metadata", arguments.metadata, "only the metadata");
	app.add_flag("--tensors", arguments.tensors, "only the tensors");
	app.add_flag("--types", arguments.types, "only the totals of each type");
	app.add_option("--filter", arguments.options.filter, "only keys and tensors whose names match (* and ? stand for anything)")->type_name("GLOB");
	app.add_flag("--full", arguments.options.full, "whole texts and arrays, which are shortened otherwise");
	app.add_flag("--json", arguments.json, "JSON: an object for one file, an array of objects for several");
	if (const auto code = parseArguments(app, argc, argv)) return code;
	if (arguments.files.empty() != arguments.devices)
		return report("vkinfo", fail(ErrorCode::kUsage, "name the files to show, or give --devices alone", "see vkinfo --help"));
	if (arguments.metadata || arguments.tensors || arguments.types) {
		arguments.options.metadata = arguments.metadata;
		arguments.options.tensors = arguments.tensors;
		arguments.options.types = arguments.types;
	}
	return std::nullopt;
}

/// A file that cannot be read does not keep the others from being shown.
int showFiles(const Arguments& arguments) {
	int code = kDone;
	Json all = Json::array();
	for (const std::string& path : arguments.files) {
		const auto file = GgufFile::open(path);
		if (!file.ok()) {
			code = report("vkinfo", file.error());
			continue;
		}
		if (arguments.json) all.push_back(modelInfoJson(*file, arguments.options));
		else fmt::print("{}{}", &path != &arguments.files.front() ? "\n" : "", modelInfoText(*file, arguments.options));
	}
	if (arguments.json && arguments.files.size() > 1) printJson(all);
	else if (arguments.json && !all.empty()) printJson(all[0]);
	return code;
}

int vkinfo(int argc, char** argv) {
	Arguments arguments;
	if (const auto code = parse(arguments, argc, argv)) return *code;
	return arguments.devices ? listDevices(arguments.json) : showFiles(arguments);
}

}  // namespace

int main(int argc, char** argv) {
	return run("vkinfo", [&] { return vkinfo(argc, argv); });
}
