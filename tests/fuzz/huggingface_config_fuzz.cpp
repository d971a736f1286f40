// Any text as config.json.

#include "ggufio/huggingface_config.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	auto json = parseJson(std::string_view(reinterpret_cast<const char*>(data), size), "config.json");
	if (!json.ok()) return 0;
	std::vector<std::string> warnings;
	const auto config = readHuggingFaceConfig(std::move(*json), "config.json", warnings);
	if (!config.ok()) {
		if (config.error().message.empty()) std::abort();
		return 0;
	}
	Metadata metadata;
	appendModelMetadata(*config, 1, metadata);
	if (metadata.empty()) std::abort();
	return 0;
}
