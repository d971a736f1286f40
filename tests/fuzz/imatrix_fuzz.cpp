// Any bytes as an importance matrix, of either form.

#include "ggufio/imatrix_file.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const auto imatrix = parseImatrix(Bytes(reinterpret_cast<const std::byte*>(data), size), "fuzz.imatrix");
	if (!imatrix.ok()) {
		if (imatrix.error().message.empty()) std::abort();
		return 0;
	}
	for (const auto& [name, values] : imatrix->importance)
		if (values.empty()) std::abort();
	return 0;
}
