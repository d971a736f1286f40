// What a GGUF file holds, as tables or JSON.
#pragma once

#include "ggufio/gguf_reader.h"
#include "tools/common.h"

#include <string>

namespace vkq::tools {

struct ModelInfoOptions {
	bool metadata = true, tensors = true, types = true;   // which sections
	std::string filter;                                   // a glob that keys and tensor names must match; empty: all
	bool full = false;                                    // whole texts and arrays
};

std::string modelInfoText(const GgufFile& file, const ModelInfoOptions& options);
Json modelInfoJson(const GgufFile& file, const ModelInfoOptions& options);

}  // namespace vkq::tools
