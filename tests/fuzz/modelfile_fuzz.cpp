// Any bytes as a Modelfile; what was read comes back when it is written.

#include "ggufio/modelfile.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const auto modelfile = parseModelfile(std::string_view(reinterpret_cast<const char*>(data), size), "Modelfile");
	if (!modelfile.ok()) {
		if (modelfile.error().message.empty()) std::abort();
		return 0;
	}
	const auto text = modelfileText(*modelfile);
	if (!text.ok()) return 0;
	const auto again = parseModelfile(*text, "Modelfile");
	if (!again.ok() || !(*again == *modelfile)) std::abort();
	return 0;
}
