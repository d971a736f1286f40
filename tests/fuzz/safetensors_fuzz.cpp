// Any bytes as a safetensors file. What is accepted must be readable in full, each byte by one tensor.

#include "ggufio/safetensors.h"

#include <cstdlib>

using namespace vkq;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const auto file = SafetensorsFile::parse(Bytes(reinterpret_cast<const std::byte*>(data), size), "fuzz.safetensors");
	if (!file.ok()) {
		if (file.error().message.empty()) std::abort();
		return 0;
	}
	uint64_t sum = 0, bytes = 0;
	for (const SafetensorsTensor& tensor : file->tensors()) {
		if (file->find(tensor.name) != &tensor || tensor.rows() * tensor.rowBytes() > tensor.bytes) std::abort();
		bytes += tensor.bytes;
		for (std::byte byte : file->data(tensor)) sum += uint64_t(byte);
	}
	if (bytes > size) std::abort();
	volatile uint64_t sink = sum;
	(void)sink;
	return 0;
}
