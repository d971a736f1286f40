// Any bytes as a GGUF file. What is accepted must be readable in full, serialize to the same layout, and give the model
// reader nothing to trip over.

#include "arch/model.h"
#include "ggufio/gguf_layout.h"
#include "ggufio/gguf_reader.h"

#include <cstdlib>

using namespace vkq;

namespace {

void require(bool condition) {
	if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
	const auto file = GgufFile::parse(Bytes(reinterpret_cast<const std::byte*>(data), size), "fuzz.gguf");
	if (!file.ok()) {
		require(!file.error().message.empty());
		return 0;
	}
	uint64_t sum = 0;
	for (const TensorInfo& tensor : file->tensors()) {
		require(file->findTensor(tensor.name) == &tensor);
		for (std::byte byte : file->data(tensor)) sum += uint64_t(byte);
	}
	volatile uint64_t sink = sum;
	(void)sink;

	const std::vector<TensorInfo> tensors(file->tensors().begin(), file->tensors().end());
	const auto layout = layOutGguf(file->metadata(), tensors);
	require(layout.ok());
	require(layout->alignment == file->alignment());
	for (size_t i = 0; i < tensors.size(); ++i) require(layout->tensors[i].offset == tensors[i].offset && layout->tensors[i].bytes == tensors[i].bytes);
	require(layout->header_bytes == file->dataStart(0));
	require(ggufHeader(file->metadata(), *layout).size() == layout->header_bytes);

	if (const auto hyperparameters = readHyperparameters(file->metadata(), file->tensors(), "fuzz.gguf"); hyperparameters.ok())
		(void)checkTensors(*hyperparameters, file->tensors(), "fuzz.gguf");
	(void)mixtureModel(file->metadata());
	return 0;
}
